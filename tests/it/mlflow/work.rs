//! One of each kind of thing that MLflow keeps, made over raw HTTP.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::server::Tenancy;
use crate::support::gateway::TestGateway;
use crate::support::raw::Connection;

/// In every name given here: whoever reads it has seen what is not theirs.
pub const MARK: &str = "very-private";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The ids.
pub struct Work {
    /// Number.
    pub experiment: String,
    /// Of the experiment.
    pub name: String,
    /// 32 hexadecimal digits.
    pub run: String,
    /// The run's folder, as MLflow's artifact store has it.
    pub artifacts: String,
    /// Name of the registered model, whose version 1 has the alias `champion`.
    pub model: String,
    /// `m-` and 32 hexadecimal digits.
    pub logged_model: String,
    /// `tr-` and 32 hexadecimal digits.
    pub trace: String,
    /// `d-` and 32 hexadecimal digits.
    pub dataset: String,
}

impl Work {
    /// Makes one of each with this key.
    pub fn of(gateway: &TestGateway, key: &str, mlflow: SocketAddr, tenancy: Tenancy) -> Self {
        let maker = Maker { gateway, key };
        let experiment = maker.experiment();
        let (run, artifacts) = maker.run(&experiment);
        let logged_model = maker.logged_model(&experiment);
        Self {
            model: maker.model(&run, &artifacts),
            trace: trace(mlflow, &experiment, tenancy),
            dataset: maker.dataset(&experiment),
            name: experiment_name(),
            experiment,
            run,
            artifacts,
            logged_model,
        }
    }

    /// Ids that nothing has, each of the form of the real one.
    pub fn absent(&self) -> Self {
        let nothing = "f".repeat(32);
        Self {
            experiment: "987654321".to_owned(),
            name: format!("no-{}", self.name),
            artifacts: self.artifacts.replace(&self.run, &nothing),
            model: format!("no-{}", self.model),
            logged_model: format!("m-{nothing}"),
            trace: format!("tr-{nothing}"),
            dataset: format!("d-{nothing}"),
            run: nothing,
        }
    }

    /// The text with `{experiment}`, `{run}` … replaced by the ids.
    pub fn fill(&self, text: &str) -> String {
        self.ids().iter().fold(text.to_owned(), |text, (name, id)| {
            text.replace(&format!("{{{name}}}"), id)
        })
    }

    /// An answer with the ids that the request asked for replaced by their names.
    pub fn blot(&self, answer: &str, request: &str) -> String {
        let names = self.ids().map(|(name, id)| (format!("{{{name}}}"), id));
        let asked = names.iter().filter(|(name, _)| request.contains(name));
        asked.fold(answer.to_owned(), |text, (name, id)| text.replace(id, name))
    }

    /// Whether anything of this is in an answer.
    pub fn is_in(&self, answer: &str) -> bool {
        [MARK, &self.run, &self.trace]
            .iter()
            .any(|part| answer.contains(part))
    }

    /// Longer ones first, for one may be part of another.
    fn ids(&self) -> [(&'static str, &str); 8] {
        [
            ("artifacts", &self.artifacts),
            ("trace", &self.trace),
            ("logged_model", &self.logged_model),
            ("dataset", &self.dataset),
            ("run", &self.run),
            ("model", &self.model),
            ("experiment_name", &self.name),
            ("experiment", &self.experiment),
        ]
    }
}

/// A trace with its span in MLflow's database, as OTLP brings it there. This is what was
/// there before, or came by another way.
fn trace(mlflow: SocketAddr, experiment: &str, tenancy: Tenancy) -> String {
    let spans = otlp();
    let workspace = match tenancy {
        Tenancy::Workspaces => "X-MLFLOW-WORKSPACE: acme--fraud\r\n",
        Tenancy::Gateway => "",
    };
    let mut connection = Connection::open(mlflow);
    connection.send(format!(
        "POST /v1/traces HTTP/1.1\r\nHost: {mlflow}\r\n{workspace}X-Mlflow-Experiment-Id: {experiment}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{spans}",
        spans.len()
    ));
    let answer = connection.answer().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    format!("tr-{TRACE}")
}

fn otlp() -> String {
    let span = json!({
        "traceId": TRACE,
        "spanId": "00f067aa0ba902b7",
        "name": format!("{MARK}-span"),
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000005000000",
    });
    let scope = json!([{ "spans": [span] }]);
    json!({ "resourceSpans": [{ "resource": {}, "scopeSpans": scope }] }).to_string()
}

fn experiment_name() -> String {
    format!("{MARK}-experiment")
}

struct Maker<'a> {
    gateway: &'a TestGateway,
    key: &'a str,
}

impl Maker<'_> {
    fn experiment(&self) -> String {
        let name = json!({ "name": experiment_name() });
        let made = self.post("/api/2.0/mlflow/experiments/create", &name);
        text(&made["experiment_id"])
    }

    fn run(&self, experiment: &str) -> (String, String) {
        let name = format!("{MARK}-run");
        let body = json!({ "experiment_id": experiment, "run_name": name, "start_time": 1 });
        let info = &self.post("/api/2.0/mlflow/runs/create", &body)["run"]["info"];
        let (run, root) = (text(&info["run_id"]), text(&info["artifact_uri"]));
        let artifacts = root.strip_prefix("mlflow-artifacts:/").unwrap().to_owned();
        let metric = json!({ "key": "auc", "value": 0.5, "timestamp": 1, "step": 0 });
        let param = json!({ "key": "depth", "value": MARK });
        let batch = json!({ "run_id": run, "metrics": [metric], "params": [param] });
        self.post("/api/2.0/mlflow/runs/log-batch", &batch);
        let dataset =
            json!({ "name": MARK, "digest": "d", "source_type": "local", "source": "{}" });
        let inputs = json!({ "run_id": run, "datasets": [{ "dataset": dataset }] });
        self.post("/api/2.0/mlflow/runs/log-inputs", &inputs);
        let memo = format!("/api/2.0/mlflow-artifacts/artifacts/{artifacts}/memo.txt");
        self.send("PUT", &memo, MARK);
        (run, artifacts)
    }

    fn model(&self, run: &str, artifacts: &str) -> String {
        let name = format!("{MARK}-model");
        let models = "/api/2.0/mlflow/registered-models";
        self.post(&format!("{models}/create"), &json!({ "name": name }));
        let source = format!("mlflow-artifacts:/{artifacts}");
        let version = json!({ "name": name, "source": source, "run_id": run });
        self.post("/api/2.0/mlflow/model-versions/create", &version);
        let alias = json!({ "name": name, "alias": "champion", "version": "1" });
        self.post(&format!("{models}/alias"), &alias);
        name
    }

    fn logged_model(&self, experiment: &str) -> String {
        let name = format!("{MARK}-logged");
        let body = json!({ "experiment_id": experiment, "name": name });
        let made = self.post("/api/2.0/mlflow/logged-models", &body);
        text(&made["model"]["info"]["model_id"])
    }

    fn dataset(&self, experiment: &str) -> String {
        let body = json!({ "name": format!("{MARK}-dataset"), "experiment_ids": [experiment] });
        let made = self.post("/api/3.0/mlflow/datasets/create", &body);
        text(&made["dataset"]["dataset_id"])
    }

    fn post(&self, target: &str, body: &Value) -> Value {
        let answer = self.send("POST", target, &body.to_string());
        serde_json::from_str(&answer).unwrap()
    }

    fn send(&self, method: &str, target: &str, body: &str) -> String {
        let answer = self.gateway.request(method, target, self.key, body);
        assert_eq!(answer.status, 200, "{method} {target}: {answer:?}");
        answer.body
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}
