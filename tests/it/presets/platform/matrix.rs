//! Who may do what on the example platform: each role against each route.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Setup;

/// Column, scope and role of each caller but the owner, who is seeded.
const MEMBERS: [(&str, &str, &str); 12] = [
    ("editor", "acme/fraud", "editor"),
    ("viewer", "acme/fraud", "viewer"),
    ("scientist", "acme/fraud", "data_scientist"),
    ("engineer", "acme/fraud", "ml_engineer"),
    ("manager", "acme/fraud", "model_manager"),
    ("auditor", "acme/fraud", "auditor"),
    ("sibling", "acme/other", "editor"),
    ("foreigner", "globex/churn", "editor"),
    ("c-admin", "acme", "client_admin"),
    ("c-user", "acme", "client_user"),
    ("reviewer", "platform", "reviewer"),
    ("super", "platform", "superadmin"),
];

/// Method, path and body. `{name}` stands for the id of an object of the project; what
/// deletes comes last, children before what they hang on.
fn routes() -> Vec<(&'static str, &'static str, Value)> {
    let none = Value::Null;
    let made_of =
        |model: &str, environment: &str| json!({ "model_id": model, "environment": environment });
    vec![
        ("GET", "datasets", none.clone()),
        ("POST", "datasets", json!({})),
        ("GET", "datasets/{dataset}", none.clone()),
        ("PATCH", "datasets/{dataset}", json!({ "name": "n" })),
        ("GET", "experiments", none.clone()),
        (
            "POST",
            "experiments",
            json!({ "dataset_ids": ["{dataset}"] }),
        ),
        ("GET", "experiments/{experiment}", none.clone()),
        ("PATCH", "experiments/{experiment}", json!({ "name": "n" })),
        ("GET", "models", none.clone()),
        ("POST", "models", json!({ "experiment_id": "{experiment}" })),
        ("GET", "models/{model}", none.clone()),
        ("PATCH", "models/{model}", json!({ "name": "n" })),
        ("POST", "models/{model}/approve", none.clone()),
        ("GET", "deployments", none.clone()),
        ("POST", "deployments", made_of("{model}", "staging")),
        ("POST", "deployments", made_of("{model}", "production")),
        ("GET", "deployments/{staging}", none.clone()),
        ("GET", "deployments/{production}", none.clone()),
        ("PATCH", "deployments/{staging}", json!({ "replicas": 2 })),
        (
            "PATCH",
            "deployments/{production}",
            json!({ "replicas": 2 }),
        ),
        (
            "POST",
            "deployments/{production}/predict",
            json!({ "rows": [] }),
        ),
        ("GET", "predictions", none.clone()),
        ("GET", "alerts", none.clone()),
        ("POST", "alerts", json!({ "deployment_id": "{staging}" })),
        ("GET", "alerts/{alert}", none.clone()),
        ("PATCH", "alerts/{alert}", json!({ "name": "n" })),
        ("GET", "retraining-policies", none.clone()),
        (
            "POST",
            "retraining-policies",
            json!({ "model_id": "{model}" }),
        ),
        ("GET", "retraining-policies/{policy}", none.clone()),
        (
            "PATCH",
            "retraining-policies/{policy}",
            json!({ "name": "n" }),
        ),
        ("GET", "settings", none.clone()),
        ("PUT", "settings", json!({ "quota": 1 })),
        ("GET", "members", none.clone()),
        ("POST", "members", json!({ "email": "x@example.com" })),
        ("DELETE", "alerts/{alert}", none.clone()),
        ("DELETE", "retraining-policies/{policy}", none.clone()),
        ("DELETE", "deployments/{staging}", none.clone()),
        ("DELETE", "deployments/{production}", none.clone()),
        ("DELETE", "models/{model}", none.clone()),
        ("DELETE", "experiments/{experiment}", none.clone()),
        ("DELETE", "datasets/{dataset}", none.clone()),
        ("DELETE", "project", none),
    ]
}

type Objects = BTreeMap<&'static str, String>;

/// One object of each type, made by the owner.
fn objects(setup: &Setup) -> Objects {
    let mut objects = Objects::new();
    let key = &setup.keys.owner;
    let made: [(&str, &str, Value); 7] = [
        ("dataset", "datasets", json!({})),
        ("experiment", "experiments", json!({})),
        ("model", "models", json!({})),
        (
            "staging",
            "deployments",
            json!({ "model_id": "{model}", "environment": "staging" }),
        ),
        (
            "production",
            "deployments",
            json!({ "model_id": "{model}", "environment": "production" }),
        ),
        ("alert", "alerts", json!({ "deployment_id": "{staging}" })),
        (
            "policy",
            "retraining-policies",
            json!({ "model_id": "{model}" }),
        ),
    ];
    for (name, collection, body) in made {
        let body = serde_json::from_str(&fill(&body.to_string(), &objects)).unwrap();
        objects.insert(name, setup.make(collection, key, &body));
    }
    objects
}

fn fill(text: &str, objects: &Objects) -> String {
    let mut text = text.to_owned();
    for (name, id) in objects {
        text = text.replace(&format!("{{{name}}}"), id);
    }
    text
}

/// The callers: column and key. Those of the platform and of the tenant name the project.
fn callers(setup: &Setup) -> Vec<(&'static str, String)> {
    let gateway = &setup.gateway;
    gateway.cli(&[
        "projects",
        "create",
        "acme/other",
        "--owner",
        "owner@example.com",
    ]);
    let mut callers = vec![("owner", setup.keys.owner.clone())];
    for (name, scope, role) in MEMBERS {
        let email = format!("{name}-caller@example.com");
        gateway.cli(&["users", "create", &email]);
        let member = ["members", "add", "--scope", scope, "--principal", &email];
        gateway.cli(&[&member[..], &["--role", role]].concat());
        let project = match scope {
            "acme" | "platform" => "acme/fraud",
            project => project,
        };
        callers.push((name, gateway.key(&email, Some(project))));
    }
    callers
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_on_each_route() {
    let setup = Setup::start().await;
    let callers = callers(&setup);
    let routes = routes();
    let mut rows: Vec<Vec<u16>> = vec![Vec::new(); routes.len()];
    for (_, key) in &callers {
        let objects = objects(&setup);
        for (row, (method, path, body)) in rows.iter_mut().zip(&routes) {
            let body = serde_json::from_str(&fill(&body.to_string(), &objects)).unwrap();
            let answer = setup.ask(method, &fill(path, &objects), key, &body);
            row.push(answer.status);
        }
    }
    let mut table = format!("{:<42}", "");
    for (name, _) in &callers {
        write!(table, "{name:>10}").unwrap();
    }
    for ((method, path, body), row) in routes.iter().zip(rows) {
        let environment = body["environment"].as_str().unwrap_or_default();
        let route = format!("{method} {path} {environment}");
        write!(table, "\n{:<42}", route.trim()).unwrap();
        for status in row {
            write!(table, "{status:>10}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
