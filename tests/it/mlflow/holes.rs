//! What an MLflow without workspaces leaves open, and the gateway closes.

use serde_json::{Value, json};

use super::requests::question;
use super::server::Tenancy;
use super::traces::experiment;
use super::work::Work;
use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;

const CREATE: &str = "/api/2.0/mlflow/experiments/create";
const VERSION: &str = "/api/2.0/mlflow/model-versions/create";

pub fn nobody_chooses_where_artifacts_lie(gateway: &TestGateway, keys: &Keys, work: &Work) {
    let places = [
        format!("mlflow-artifacts:/{}", work.experiment),
        "file:///etc".to_owned(),
        "s3://bucket".to_owned(),
    ];
    for (at, place) in places.iter().enumerate() {
        for key in ["artifact_location", "artifactLocation"] {
            let body = json!({ "name": format!("located-{at}"), key: place });
            let refused = post(gateway, &keys.stranger, CREATE, &body);
            assert_eq!(refused.status, 403, "{refused:?}");
        }
    }
    let body = json!({ "name": "not-located", "artifact_location": "" });
    assert_eq!(post(gateway, &keys.stranger, CREATE, &body).status, 200);
}

/// A version's artifacts are read by whoever may read the model: its source must be theirs.
pub fn a_version_comes_from_its_own_project(gateway: &TestGateway, keys: &Keys, work: &Work) {
    let model = json!({ "name": "borrowing" });
    let models = "/api/2.0/mlflow/registered-models/create";
    assert_eq!(post(gateway, &keys.stranger, models, &model).status, 200);
    let own = experiment(gateway, &keys.stranger, "borrows");
    let run = json!({ "experiment_id": own });
    let run = post(gateway, &keys.stranger, "/api/2.0/mlflow/runs/create", &run).json();
    let run = run["run"]["info"]["run_id"].as_str().unwrap();
    let foreign = [
        format!("mlflow-artifacts:/{}", work.artifacts),
        format!("mlflow-artifacts:/{own}/../{}", work.artifacts),
        format!("mlflow-artifacts:/{own}/%2e%2e/{}", work.artifacts),
        format!("runs:/{}/model", work.run),
        format!("models:/{}/1", work.model),
        format!("models:/{}@champion", work.model),
        format!("models:/{}", work.logged_model),
        "file:///etc/passwd".to_owned(),
        format!("/tmp/{run}"),
        "s3://bucket/key".to_owned(),
    ];
    let other = [("run_id", &work.run), ("model_id", &work.logged_model)];
    let source = format!("mlflow-artifacts:/{own}/{run}/artifacts");
    let bodies = foreign
        .iter()
        .map(|source| json!({ "name": "borrowing", "source": source }))
        .chain(other.map(|(key, id)| json!({ "name": "borrowing", "source": source, key: id })));
    for body in bodies {
        let refused = post(gateway, &keys.stranger, VERSION, &body);
        assert!(matches!(refused.status, 400 | 404), "{body}: {refused:?}");
    }
    let body = json!({ "name": "borrowing", "source": source, "run_id": run });
    let made = post(gateway, &keys.stranger, VERSION, &body);
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(made.json()["model_version"]["version"], "1", "{made:?}");
}

pub fn what_is_attached_is_of_the_same_project(
    gateway: &TestGateway,
    keys: &Keys,
    work: &Work,
    tenancy: Tenancy,
) {
    let own = experiment(gateway, &keys.stranger, "attaches");
    let run = json!({ "experiment_id": own });
    let run = post(gateway, &keys.stranger, "/api/2.0/mlflow/runs/create", &run).json();
    let run = run["run"]["info"]["run_id"].as_str().unwrap();
    let metric = |model: &str| json!({ "key": "m", "value": 1, "timestamp": 1, "model_id": model });
    let absent = work.absent();
    let requests = |ids: &Work| {
        let models = json!([{ "model_id": ids.logged_model }]);
        let trace = json!({ "run_id": run, "trace_ids": [ids.trace] });
        [
            (
                "runs/log-batch",
                json!({ "run_id": run, "metrics": [metric(&ids.logged_model)] }),
            ),
            (
                "runs/log-metric",
                json!({ "run_id": run, "key": "m", "value": 1, "timestamp": 1, "model_id": ids.logged_model }),
            ),
            (
                "runs/log-inputs",
                json!({ "run_id": run, "models": models }),
            ),
            ("runs/outputs", json!({ "run_id": run, "models": models })),
            (
                "logged-models",
                json!({ "experiment_id": own, "source_run_id": ids.run }),
            ),
            ("traces/link-to-run", trace),
        ]
    };
    // With workspaces MLflow itself looks for the last two where they belong.
    let ours = match tenancy {
        Tenancy::Workspaces => 4,
        Tenancy::Gateway => 6,
    };
    let pairs = requests(work).into_iter().zip(requests(&absent));
    for ((path, body), (_, none)) in pairs.take(ours) {
        let target = format!("/api/2.0/mlflow/{path}");
        let refused = post(gateway, &keys.stranger, &target, &body);
        let absent = post(gateway, &keys.stranger, &target, &none);
        assert_eq!(refused.status, 404, "{body}: {refused:?}");
        assert_eq!(told(&refused), told(&absent), "{path}");
    }
    let own = json!({ "run_id": work.run, "metrics": [metric(&work.logged_model)] });
    let logged = post(
        gateway,
        &keys.editor,
        "/api/2.0/mlflow/runs/log-batch",
        &own,
    );
    assert_eq!(logged.status, 200, "{logged:?}");
}

pub fn each_of_many_ids_is_checked(gateway: &TestGateway, keys: &Keys, work: &Work) {
    let own = experiment(gateway, &keys.stranger, "many");
    let run = json!({ "experiment_id": own });
    let run = post(gateway, &keys.stranger, "/api/2.0/mlflow/runs/create", &run).json();
    let run = run["run"]["info"]["run_id"].as_str().unwrap();
    let both = |query: &str, name: &str| {
        format!(
            "{query}?{name}={run}&{name}={}&metric_key=auc&max_results=5",
            work.run
        )
    };
    let only =
        |query: &str, name: &str| format!("{query}?{name}={run}&metric_key=auc&max_results=5");
    for (query, name) in [
        ("/ajax-api/2.0/mlflow/metrics/get-history-bulk", "run_id"),
        (
            "/api/2.0/mlflow/metrics/get-history-bulk-interval",
            "run_ids",
        ),
    ] {
        let refused = gateway.get(&both(query, name), &keys.stranger);
        assert_eq!(refused.status, 404, "{refused:?}");
        let allowed = gateway.get(&only(query, name), &keys.stranger);
        assert_eq!(allowed.status, 200, "{allowed:?}");
    }
    let search = "/api/2.0/mlflow/runs/search";
    let body = json!({ "experiment_ids": [own, work.experiment] });
    assert_eq!(post(gateway, &keys.stranger, search, &body).status, 404);
    let body = json!({ "experiment_ids": [own], "experimentIds": [work.experiment] });
    assert_eq!(post(gateway, &keys.stranger, search, &body).status, 400);
    let body = json!({ "experiment_ids": [own] });
    assert_eq!(post(gateway, &keys.stranger, search, &body).status, 200);
}

pub fn no_search_goes_without_what_it_is_about(gateway: &TestGateway, keys: &Keys) {
    for path in [
        "2.0/mlflow/runs/search",
        "2.0/mlflow/logged-models/search",
        "3.0/mlflow/traces/search",
        "3.0/mlflow/datasets/search",
        "3.0/mlflow/issues/search",
        "3.0/mlflow/datasets/create",
    ] {
        let refused = post(gateway, &keys.editor, &format!("/api/{path}"), &json!({}));
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
    }
    for path in ["3.0/mlflow/scorers/list", "2.0/mlflow/traces"] {
        let refused = gateway.get(&format!("/api/{path}"), &keys.editor);
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
    }
}

pub fn only_the_uis_questions_pass(gateway: &TestGateway, keys: &Keys, work: &Work) {
    let own = "{mlflowSearchModelVersions(input:{}){modelVersions{name}}}";
    let aliased = format!(
        "{{a:mlflowGetRun(input:{{runId:\"{}\"}}){{run{{info{{runId}}}}}}}}",
        work.run
    );
    for query in [own, &aliased] {
        for name in [json!(null), json!("GetRun")] {
            let body = json!({ "operationName": name, "query": query });
            let refused = post(gateway, &keys.editor, "/graphql", &body);
            assert_eq!(refused.status, 403, "{refused:?}");
        }
    }
    let asked = question("GetRun", &json!({ "data": { "runId": work.run } }));
    let body = asked.strip_prefix("POST /graphql ").unwrap();
    let answer = gateway.request("POST", "/graphql", &keys.editor, body);
    assert!(work.is_in(&answer.body), "{answer:?}");
}

/// MLflow makes an experiment `Default` for itself.
pub fn what_was_there_before_is_nobodys(gateway: &TestGateway, keys: &Keys) {
    for key in [&keys.editor, &keys.stranger] {
        let default = gateway.get("/api/2.0/mlflow/experiments/get?experiment_id=0", key);
        assert_eq!(default.status, 404, "{default:?}");
    }
}

fn post(gateway: &TestGateway, key: &str, target: &str, body: &Value) -> Answer {
    gateway.request("POST", target, key, &body.to_string())
}

/// Without the id of the request, which is another each time.
fn told(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["message"].clone())
}
