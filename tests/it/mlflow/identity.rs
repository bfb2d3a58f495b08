//! Headers by which a client would be somewhere, or somebody, else.

use super::work::Work;
use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;

const HOST: &str = "ml.example.com";
/// Every spelling of a header that is the gateway's alone.
const SPELLINGS: [&str; 6] = [
    "X-MLFLOW-WORKSPACE: {}",
    "x-mlflow-workspace: {}",
    "X_MLFLOW_WORKSPACE: {}",
    "x.mlflow.workspace: {}",
    "X-MLFLOW-WORKSPACE: {}\r\nX-MLFLOW-WORKSPACE: {}",
    "X-MLFLOW-WORKSPACE: {}\r\nConnection: X-MLFLOW-WORKSPACE",
];

/// Whatever the client sends, it gets what is its own, or 400.
pub fn the_client_cannot_choose_the_workspace(gateway: &TestGateway, keys: &Keys, work: &Work) {
    let target = work.fill("/api/2.0/mlflow/runs/get?run_id={run}");
    for spelling in SPELLINGS {
        for workspace in ["acme--fraud", "globex--churn", "default", ""] {
            let header = spelling.replace("{}", workspace);
            let own = send(gateway, &keys.editor, "GET", &target, &header);
            assert!(matches!(own.status, 200 | 400), "{header}: {own:?}");
            let foreign = send(gateway, &keys.stranger, "GET", &target, &header);
            assert!(matches!(foreign.status, 404 | 400), "{header}: {foreign:?}");
        }
    }
}

/// MLflow knows its own name only and refuses writes from other origins; the gateway
/// speaks for its own pages and for no others.
pub fn only_a_foreign_origin_is_refused(gateway: &TestGateway, keys: &Keys) {
    let create = |origin: &str| {
        let header = format!("Origin: {origin}");
        let target = "/api/2.0/mlflow/experiments/create";
        send(gateway, &keys.editor, "POST", target, &header)
    };
    let own = create(&format!("https://{HOST}"));
    assert_eq!(own.status, 200, "{own:?}");
    for foreign in [
        "https://evil.example",
        "https://ml.example.com.evil.example",
        "null",
    ] {
        let answer = create(foreign);
        assert_eq!(answer.status, 403, "{foreign}: {answer:?}");
    }
}

fn send(gateway: &TestGateway, key: &str, method: &str, target: &str, header: &str) -> Answer {
    let body = match method {
        "GET" => String::new(),
        _ => format!(r#"{{"name":"by {}"}}"#, header.replace('"', "")),
    };
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {key}\r\n{header}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    gateway.raw(request).unwrap()
}
