//! Traces: whoever records one chooses its id, and a tag says where its files are.

use serde_json::json;

use super::work::{MARK, Work};
use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;

/// Names of attachments are UUIDs; MLflow takes no others.
const ATTACHMENT: &str = "27f78306-e2c8-437f-88d7-4f93b0d588d4";
const LOCATION: &str = "mlflow.artifactLocation";

/// Recording a trace with the id of another project's changes nothing there.
pub fn a_trace_cannot_be_taken_over(gateway: &TestGateway, keys: &Keys, work: &Work) {
    let look = || gateway.get(&work.fill("/api/3.0/mlflow/traces/{trace}"), &keys.editor);
    let before = look();
    let own = experiment(gateway, &keys.stranger, "takes-over");
    let taken = record(gateway, &keys.stranger, &own, &work.trace, &json!({}));
    assert_eq!(taken.status, 404, "{taken:?}");
    assert_eq!(look().body, before.body);
}

/// Every way to say that a trace's files are where another project's are.
pub fn no_trace_shows_another_projects_files(gateway: &TestGateway, keys: &Keys, work: &Work) {
    let files = format!("{}/trace", work.artifacts);
    for file in ["traces.json", &format!("attachments/{ATTACHMENT}")] {
        let target = format!("/api/2.0/mlflow-artifacts/artifacts/{files}/{file}");
        let put = gateway.request("PUT", &target, &keys.editor, MARK);
        assert_eq!(put.status, 200, "{put:?}");
    }
    let key = &keys.stranger;
    let own = experiment(gateway, key, "reads-others");
    let place = json!({ LOCATION: format!("mlflow-artifacts:/{files}") });

    let told = format!("tr-{:032x}", 1);
    record(gateway, key, &own, &told, &place);
    let twice = format!("tr-{:032x}", 2);
    let first = record(gateway, key, &own, &twice, &json!({}));
    assert_eq!(first.status, 200, "{first:?}");
    record(gateway, key, &own, &twice, &place);
    let tag = json!({ "key": LOCATION, "value": place[LOCATION] }).to_string();
    for version in ["2.0", "3.0"] {
        let target = format!("/api/{version}/mlflow/traces/{twice}/tags");
        assert_eq!(gateway.request("PATCH", &target, key, &tag).status, 403);
    }
    let tags = json!({ "tags": [{ "key": LOCATION, "value": place[LOCATION] }] }).to_string();
    let target = format!("/api/2.0/mlflow/traces/{twice}");
    assert_eq!(gateway.request("PATCH", &target, key, &tags).status, 403);
    let spans = gateway.request("POST", "/v1/traces", key, "{}");
    assert_eq!(spans.status, 415, "{spans:?}");
    let harmless = json!({ "key": "mood", "value": "good" }).to_string();
    for version in ["2.0", "3.0"] {
        let target = format!("/api/{version}/mlflow/traces/{twice}/tags");
        let tagged = gateway.request("PATCH", &target, key, &harmless);
        assert_eq!(tagged.status, 200, "{tagged:?}");
    }

    for trace in [told, twice] {
        for query in [String::new(), format!("&path={ATTACHMENT}")] {
            let target =
                format!("/ajax-api/3.0/mlflow/get-trace-artifact?request_id={trace}{query}");
            let shown = gateway.get(&target, key);
            assert!(!shown.body.contains(MARK), "{target}: {shown:?}");
        }
    }
}

pub fn experiment(gateway: &TestGateway, key: &str, name: &str) -> String {
    let body = json!({ "name": name }).to_string();
    let made = gateway.request("POST", "/api/2.0/mlflow/experiments/create", key, &body);
    made.json()["experiment_id"].as_str().unwrap().to_owned()
}

fn record(
    gateway: &TestGateway,
    key: &str,
    experiment: &str,
    trace: &str,
    tags: &serde_json::Value,
) -> Answer {
    let info = json!({
        "trace_id": trace,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": { "experiment_id": experiment },
        },
        "request_time": "2025-01-01T00:00:00Z",
        "state": "OK",
        "tags": tags,
    });
    let body = json!({ "trace": { "trace_info": info } }).to_string();
    gateway.request("POST", "/api/3.0/mlflow/traces", key, &body)
}
