//! What was found in MLflow before, tried again through the gateway.

use std::fmt::Write as _;

use serde_json::json;

use super::work::Work;
use crate::support::gateway::{Keys, TestGateway};

/// CVE-2024-3848: behind `#` a location was not looked at, and led to the server's own files.
pub fn a_location_has_no_fragment(gateway: &TestGateway, keys: &Keys) {
    for place in [
        "http:///#/../../../../etc/",
        "mlflow-artifacts:///#/../../etc",
        "file:///etc#x",
    ] {
        let body = json!({ "name": "fragment", "artifact_location": place }).to_string();
        let target = "/api/2.0/mlflow/experiments/create";
        let refused = gateway.request("POST", target, &keys.editor, &body);
        assert!(matches!(refused.status, 400 | 403), "{place}: {refused:?}");
    }
}

/// CVE-2025-0453: one request asked the same of GraphQL hundreds of times.
pub fn one_request_asks_once(gateway: &TestGateway, keys: &Keys, work: &Work) {
    let mut query = String::from("{");
    for at in 0..500 {
        let run = &work.run;
        write!(
            query,
            "a{at}:mlflowGetRun(input:{{runId:\"{run}\"}}){{run{{info{{runId}}}}}}"
        )
        .unwrap();
    }
    query.push('}');
    let body = json!({ "query": query }).to_string();
    let refused = gateway.request("POST", "/graphql", &keys.editor, &body);
    assert!(!refused.body.contains(&work.run), "{refused:?}");
}

/// CVE-2026-0545: jobs were open to whoever asked.
pub fn jobs_are_nobodys(gateway: &TestGateway, keys: &Keys) {
    for (method, path) in [
        ("POST", "/ajax-api/3.0/jobs/"),
        ("POST", "/ajax-api/3.0/jobs/search"),
        ("GET", "/ajax-api/3.0/jobs/1"),
        ("PATCH", "/ajax-api/3.0/jobs/cancel/1"),
    ] {
        let body = if method == "GET" { "" } else { "{}" };
        let refused = gateway.request(method, path, &keys.owner, body);
        assert_eq!(refused.status, 403, "{path}: {refused:?}");
        let asked = format!("{method} {path} HTTP/1.1\r\nHost: gw\r\nContent-Length: 0\r\n\r\n");
        let asked = match method {
            "GET" => asked.replace("Content-Length: 0\r\n", ""),
            _ => asked,
        };
        assert_eq!(gateway.raw(asked).unwrap().status, 401, "{path}");
    }
}

/// Ways out of the folder of artifacts, of many advisories.
pub fn no_path_leads_out(gateway: &TestGateway, keys: &Keys, work: &Work) {
    for path in [
        "..%2f..%2fetc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%5c..",
        "%252e%252e/x",
    ] {
        let target = format!(
            "/api/2.0/mlflow-artifacts/artifacts/{}/{path}",
            work.artifacts
        );
        let refused = gateway.get(&target, &keys.editor);
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
    }
    let target = format!(
        "/get-artifact?run_id={}&path=../../../../../etc/passwd",
        work.run
    );
    let refused = gateway.get(&target, &keys.editor);
    assert!((400..500).contains(&refused.status), "{refused:?}");
}
