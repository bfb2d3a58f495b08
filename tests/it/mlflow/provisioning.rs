//! Each project gets its workspace, whenever MLflow comes.

use serde_json::json;

use crate::support::gateway::{Keys, TestGateway, until};
use crate::support::raw::Answer;

const SEARCH: &str = "/api/2.0/mlflow/experiments/search?max_results=5";

/// Waits until the projects of the seed have theirs.
pub fn wait_for(gateway: &TestGateway, keys: &Keys) {
    for key in [&keys.editor, &keys.stranger] {
        until("the workspaces", || gateway.get(SEARCH, key).status == 200);
    }
}

/// The seed has succeeded; what is missing is told in MLflow's words.
pub fn projects_made_while_mlflow_is_down(gateway: &TestGateway, keys: &Keys) {
    let answer = gateway.get(SEARCH, &keys.editor);
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(answer.json()["error_code"], "TEMPORARILY_UNAVAILABLE");
}

/// The workspace is there when `projects create` returns, even with the longest names,
/// and one that was there before is as good.
pub fn projects_made_while_mlflow_is_up(gateway: &TestGateway, keys: &Keys) {
    let longest = "x".repeat(30);
    gateway.cli(&["tenants", "create", &longest]);
    create_and_use(gateway, keys, &format!("{longest}/{longest}"));

    let workspaces = "/api/3.0/mlflow/workspaces";
    let body = json!({ "name": "acme--later" }).to_string();
    let made = gateway.request("POST", workspaces, &keys.admin, &body);
    assert_eq!(made.status, 201, "{made:?}");
    create_and_use(gateway, keys, "acme/later");
    until("the gateway to agree", || {
        gateway
            .log()
            .lines()
            .any(|line| line.contains("\"project provisioned\"") && line.contains("\"later\""))
    });
}

fn create_and_use(gateway: &TestGateway, keys: &Keys, project: &str) {
    gateway.cli(&[
        "projects",
        "create",
        project,
        "--owner",
        "owner@example.com",
    ]);
    until("the gateway to know the project", || {
        named(gateway, keys, project).status != 403
    });
    let answer = named(gateway, keys, project);
    assert_eq!(answer.status, 200, "{project}: {answer:?}");
}

fn named(gateway: &TestGateway, keys: &Keys, project: &str) -> Answer {
    let request = format!(
        "GET {SEARCH} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         X-Portcullis-Project: {project}\r\n\r\n",
        keys.admin
    );
    gateway.raw(request).unwrap()
}
