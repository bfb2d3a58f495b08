//! `config/platform.yaml` before a platform that knows no tenants.

mod backend;
mod matrix;

use serde_json::{Value, json};

use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

/// A gateway with the example's map, as it is shipped.
struct Setup {
    gateway: TestGateway,
    keys: Keys,
    backend: Upstream,
}

impl Setup {
    async fn start() -> Self {
        let backend = backend::start();
        let example = std::fs::read_to_string("config/platform.yaml").unwrap();
        let map = example.replace("\nversion: 1\n", "\n");
        let mut gateway = TestGateway::prepare("").await;
        let url = format!("http://{}", backend.address());
        gateway.environment.push(("PLATFORM_URL", url.into()));
        gateway.configure(&map);
        gateway.launch();
        let keys = gateway.seed();
        Self {
            gateway,
            keys,
            backend,
        }
    }

    fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let target = format!("/api/v1/{path}");
        self.gateway.request(method, &target, key, &body)
    }

    fn get(&self, path: &str, key: &str) -> Answer {
        self.ask("GET", path, key, &Value::Null)
    }

    fn make(&self, collection: &str, key: &str, body: &Value) -> String {
        let answer = self.ask("POST", collection, key, body);
        assert_eq!(answer.status, 201, "{collection} {answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// How many requests the platform has got.
    fn received(&self) -> usize {
        self.backend.received().len()
    }
}

fn ids(answer: &Answer) -> Vec<String> {
    let answer = answer.json();
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_its_projects() {
    let setup = Setup::start().await;
    let Keys {
        editor,
        viewer,
        stranger,
        ..
    } = &setup.keys;
    let dataset = setup.make("datasets", editor, &json!({ "name": "claims" }));
    let one = format!("datasets/{dataset}");
    assert_eq!(setup.get(&one, viewer).json()["name"], "claims");

    // Nothing of a foreign request reaches the platform.
    let before = setup.received();
    let foreign = setup.get(&one, stranger);
    let unknown = setup.get("datasets/none-such", stranger);
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign.json()["code"], unknown.json()["code"]);
    assert_eq!(foreign.json()["detail"], unknown.json()["detail"]);
    let change = json!({ "name": "mine" });
    assert_eq!(setup.ask("PATCH", &one, stranger, &change).status, 404);
    assert_eq!(
        setup.ask("DELETE", &one, stranger, &Value::Null).status,
        404
    );
    assert_eq!(setup.received(), before);

    assert_eq!(setup.ask("PATCH", &one, editor, &change).status, 200);
    assert_eq!(setup.ask("DELETE", &one, editor, &Value::Null).status, 204);
    let before = setup.received();
    assert_eq!(setup.get(&one, editor).status, 404);
    assert_eq!(setup.received(), before, "it is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_attached_to_what_is_anothers() {
    let setup = Setup::start().await;
    let Keys {
        editor, stranger, ..
    } = &setup.keys;
    let nothing = json!({});
    let dataset = setup.make("datasets", editor, &nothing);
    let theirs = setup.make("datasets", stranger, &nothing);
    let model = setup.make("models", editor, &nothing);
    let post =
        |collection: &str, key: &str, body: &Value| setup.ask("POST", collection, key, body).status;
    let deployed = json!({ "model_id": model, "environment": "staging" });
    let deployment = setup.make("deployments", editor, &deployed);

    let before = setup.received();
    assert_eq!(post("deployments", stranger, &deployed), 404);
    let mixed = json!({ "dataset_ids": [theirs, dataset] });
    assert_eq!(post("experiments", stranger, &mixed), 404);
    assert_eq!(post("experiments", editor, &mixed), 404);
    let alert = json!({ "deployment_id": deployment });
    assert_eq!(post("alerts", stranger, &alert), 404);
    let policy = json!({ "model_id": model, "dataset_id": theirs });
    assert_eq!(post("retraining-policies", editor, &policy), 404);
    let predict = format!("deployments/{deployment}/predict");
    assert_eq!(post(&predict, stranger, &nothing), 404);
    // Nor moved afterwards.
    let own = setup.make("models", stranger, &nothing);
    let moved = json!({ "model_id": own });
    let one = format!("deployments/{deployment}");
    assert_eq!(setup.ask("PATCH", &one, editor, &moved).status, 404);
    let environment = json!({ "environment": "production" });
    assert_eq!(setup.ask("PATCH", &one, editor, &environment).status, 403);
    // An object must be named, and the environment be one.
    assert_eq!(post("alerts", editor, &nothing), 400);
    let nowhere = json!({ "model_id": model, "environment": "moon" });
    assert_eq!(post("deployments", editor, &nowhere), 403);
    assert_eq!(setup.received(), before + 1);

    assert_eq!(post("alerts", editor, &alert), 201);
    assert_eq!(post(&predict, editor, &nothing), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_full_and_tell_nothing_of_others() {
    let setup = Setup::start().await;
    let Keys {
        editor,
        viewer,
        stranger,
        admin,
        ..
    } = &setup.keys;
    let mut own = Vec::new();
    for number in 0..7 {
        for _ in 0..number % 3 {
            setup.make("datasets", stranger, &json!({}));
        }
        own.push(setup.make("datasets", editor, &json!({})));
    }
    let mut seen = Vec::new();
    let mut page = setup.get("datasets?limit=3", viewer);
    let mut sizes = Vec::new();
    loop {
        let listed = ids(&page);
        sizes.push(listed.len());
        seen.extend(listed);
        let answer = page.json();
        let Some(token) = answer["next_page_token"].as_str() else {
            break;
        };
        assert!(token.parse::<u64>().is_err(), "the platform's own: {token}");
        page = setup.get(&format!("datasets?limit=3&page_token={token}"), viewer);
    }
    assert_eq!(seen, own);
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(ids(&setup.get("datasets", stranger)).len(), 6);
    assert_eq!(ids(&setup.get("datasets", admin)).len(), 13);
    assert_eq!(setup.get("datasets?page_token=3", viewer).status, 400);
}

/// The platform keeps settings by a key that the gateway writes.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_has_once_is_its_own() {
    let setup = Setup::start().await;
    let Keys {
        owner,
        editor,
        viewer,
        stranger,
        ..
    } = &setup.keys;
    let quota = json!({ "quota": 5 });
    for (key, status) in [(editor, 403), (viewer, 403), (owner, 200)] {
        assert_eq!(setup.ask("PUT", "settings", key, &quota).status, status);
    }
    assert_eq!(setup.get("settings", viewer).json(), quota);
    let spoofed = setup.get("settings?project=whatever", viewer);
    assert_eq!(spoofed.json(), quota);
    assert_eq!(setup.get("settings", stranger).json(), json!({}));
}
