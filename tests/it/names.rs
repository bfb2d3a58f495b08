//! Names that a backend shares among all: each project has its own.

mod filters;
mod heap;
mod objects;
mod spellings;

use heap::Heap;
use serde_json::{Value, json};

use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;

const TYPES: &str = "
resources:
  - { type: model, upstream: app, id: name, names: \"{tenant.slug}.{project.slug}.\" }
  - { type: thing, upstream: app, names: \"{tenant.slug}.{project.slug}.\" }
bodies: { keys: folded }
";

const ROUTES: &str = "
  - route: POST /models
    upstream: app
    permission: datasets:create
    names: [{ type: model, at: body./name }, { type: model, at: response.body./model/name }]
    creates: { type: model, id: response.body./model/name }
  - route: POST /models/rename
    upstream: app
    permission: datasets:update
    resource: { type: model, id: body./name }
    names: [{ type: model, at: body./new_name }, { type: model, at: response.body./model/name }]
    creates: { type: model, id: response.body./model/name }
    deletes: true
  - route: POST /models/source
    upstream: app
    permission: datasets:update
    resource: { type: model, id: [body./name, query.name] }
    references: [{ type: model, id: body./source, optional: true, forms: [\"models:/{id}/*\"] }]
    names:
      - { type: model, at: response.body./model/name }
      - { type: model, at: response.body./model/source, forms: [\"models:/{id}/*\"] }
  - route: GET /models/get
    upstream: app
    permission: datasets:read
    resource: { type: model, id: query.name }
    names: [{ type: model, at: response.body./model/name }]
  - route: GET /models/search
    upstream: app
    permission: datasets:read
    names: [{ type: model, at: query.filter, use: filter }, { type: model, at: response.body./models/*/name }]
    filter: { items: response.body./models, type: model, id: /name }
  - route: POST /models/search
    upstream: app
    permission: datasets:read
    names: [{ type: model, at: body./filter, use: filter }, { type: model, at: response.body./models/*/name }]
    filter: { items: response.body./models, type: model, id: /name }
  - route: POST /things
    upstream: app
    permission: datasets:create
    names: [{ type: thing, at: body./name }]
    creates: { type: thing, id: response.body./id }
  - route: GET /things/by-name
    upstream: app
    permission: datasets:read
    names: [{ type: thing, at: query.name, use: seek }, { type: thing, at: response.body./thing/name }]
    answers: { type: thing, id: response.body./thing/id }
";

struct House {
    heap: Heap,
    gateway: TestGateway,
    keys: Keys,
}

impl House {
    async fn open() -> Self {
        let heap = Heap::start();
        let routes = crate::support::gateway::yaml(heap.upstream.address(), ROUTES);
        let gateway = TestGateway::start(&format!("{}{routes}", TYPES.trim_start())).await;
        let keys = gateway.seed();
        Self {
            heap,
            gateway,
            keys,
        }
    }

    fn post(&self, target: &str, key: &str, body: &Value) -> Answer {
        self.gateway.request("POST", target, key, &body.to_string())
    }

    fn make(&self, key: &str, name: &str) -> Answer {
        self.post("/models", key, &json!({ "name": name }))
    }

    /// The models in a key's list.
    fn listed(&self, key: &str, filter: &str) -> Vec<String> {
        let answer = self.post("/models/search", key, &json!({ "filter": filter }));
        assert_eq!(answer.status, 200, "{filter}: {answer:?}");
        let list = answer.json();
        let models = list["models"].as_array().unwrap().iter();
        models
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_have_the_same_name() {
    let house = House::open().await;
    let (editor, stranger) = (&house.keys.editor, &house.keys.stranger);
    for (key, stored) in [(editor, "acme.fraud.foo"), (stranger, "globex.churn.foo")] {
        for target in ["/models", "/things"] {
            let made = house.post(target, key, &json!({ "name": "foo" }));
            assert_eq!(made.status, 200, "{made:?}");
            assert_eq!(house.heap.last(), json!({ "name": stored }).to_string());
        }
        assert_eq!(house.make(key, "foo").status, 409);
    }
    for key in [editor, stranger] {
        assert_eq!(house.listed(key, ""), ["foo"]);
        let model = house.gateway.get("/models/get?name=foo", key);
        assert_eq!(model.body, r#"{"model":{"name":"foo"}}"#);
        let thing = house.gateway.get("/things/by-name?name=foo", key).json();
        assert_eq!(thing["thing"]["name"], "foo");
    }
    let of = |key| house.gateway.get("/things/by-name?name=foo", key).json()["thing"]["id"].clone();
    assert_ne!(of(editor), of(stranger));
}

/// What is answered about a name is the same whether another tenant has it or nobody.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_tells_that_another_tenant_has_a_name() {
    let house = House::open().await;
    let key = &house.keys.stranger;
    for target in ["/models", "/things"] {
        let made = house.post(target, &house.keys.editor, &json!({ "name": "taken" }));
        assert_eq!(made.status, 200, "{made:?}");
    }
    assert_eq!(house.make(key, "own").status, 200);
    let tell = |name: &str| {
        let full = format!("acme.fraud.{name}");
        let asked = [
            house.gateway.get(&format!("/models/get?name={name}"), key),
            house.gateway.get(&format!("/models/get?name={full}"), key),
            house
                .gateway
                .get(&format!("/things/by-name?name={name}"), key),
            house
                .gateway
                .get(&format!("/things/by-name?name={full}"), key),
            house.post(
                "/models/rename",
                key,
                &json!({ "name": name, "new_name": "x" }),
            ),
            house.post(
                "/models/search",
                key,
                &json!({ "filter": format!("name = '{name}'") }),
            ),
            house.post(
                "/models/search",
                key,
                &json!({ "filter": format!("name LIKE '%{name}%'") }),
            ),
            house.post(
                "/models/search",
                key,
                &json!({ "filter": format!("name IN ('{full}')") }),
            ),
            house.post(
                "/models/source",
                key,
                &json!({ "name": "own", "source": format!("models:/{name}/1") }),
            ),
            house.make(key, &full),
            house.make(key, name),
            house.make(key, name),
            house.post(
                "/models/rename",
                key,
                &json!({ "name": "own", "new_name": name }),
            ),
            house.post(
                "/models/rename",
                key,
                &json!({ "name": name, "new_name": "passing" }),
            ),
            house.post(
                "/models/rename",
                key,
                &json!({ "name": "passing", "new_name": name }),
            ),
            house.post("/things", key, &json!({ "name": name })),
            house.post("/things", key, &json!({ "name": name })),
        ];
        asked.map(|answer| (answer.status, blotted(&answer.body.replace(name, "NAME"))))
    };
    assert_eq!(tell("taken"), tell("freed"));
}

/// Without numbers, and without the id of the request.
fn blotted(body: &str) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    if let Some(answer) = body.as_object_mut() {
        answer.remove("request_id");
    }
    let body = body.to_string();
    body.chars().filter(|c| !c.is_ascii_digit()).collect()
}
