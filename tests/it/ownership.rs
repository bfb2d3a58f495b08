//! Objects of a backend that knows no tenants: whose they are, and who gets to see them.

mod adoption;
mod answers;
mod bodies;
mod children;
mod faults;
mod http2;
mod lists;
mod records;

use crate::support::gateway::{Keys, TestGateway};
use crate::support::platform::Platform;
use crate::support::raw::Answer;

const TYPES: &str = "
resources:
  - type: run
    upstream: app
    via:
      type: dataset
      request: \"GET /runs/{id}\"
      id: /run/experiment
      immutable: true
      bulk: { request: \"POST /runs/lookup\", body: { ids: \"{ids}\" }, items: /runs, key: /id, id: /experiment, max: 2 }
  - { type: job, upstream: app, via: { type: dataset, request: \"GET /runs/{id}\", id: /run/experiment } }
  - { type: version, upstream: app, via: { type: dataset, prefix: \"/\" } }
";

const ROUTES: &str = "
  - route: POST /datasets
    upstream: app
    permission: datasets:create
    creates: { type: dataset, id: response.body./id, labels: { environment: body./environment } }
  - route: GET /datasets
    upstream: app
    permission: datasets:read
    filter: { items: response.body./datasets, type: dataset, id: /id }
    pages: { size: query.page_size, default: 100, token: query.page_token, next: response.body./next_page_token }
  - route: POST /datasets/search
    upstream: app
    permission: datasets:read
    filter: { items: response.body./datasets, type: dataset, id: /id }
    pages: { size: body./size, default: 100, most: 200, token: body./token, next: response.body./next_page_token }
  - route: GET /all
    upstream: app
    permission: datasets:read
    filter: { items: response.body./datasets, type: dataset, id: /id }
  - route: GET /datasets/{id}
    upstream: app
    permission: datasets:read
    resource: { type: dataset, id: path.id }
  - route: DELETE /datasets/{id}
    upstream: app
    permission: datasets:delete
    resource: { type: dataset, id: path.id }
    deletes: true
  - route: POST /datasets/rename
    upstream: app
    permission: datasets:update
    resource: { type: dataset, id: body./id }
    creates: { type: dataset, id: response.body./id }
    deletes: true
  - route: POST /log
    upstream: app
    permission: datasets:update
    resource: { type: dataset, id: [body./id, body./dataset_id, query.id] }
    references: [{ type: run, id: body./runs/*, optional: true }]
    forbid: [{ at: body./tags/*, values: [secret], reason: \"it is reserved\" }]
    set: [{ at: body./project, value: \"{project.slug}\" }, { at: header.X-Team, value: \"{tenant.slug}\" }]
  - route: POST /note
    upstream: app
    permission: datasets:update
    set: [{ at: body./project, value: \"{project.slug}\" }]
  - route: GET /runs/{id}
    upstream: app
    permission: datasets:read
    resource: { type: run, id: path.id }
  - route: GET /jobs/{id}
    upstream: app
    permission: datasets:read
    resource: { type: job, id: path.id }
  - route: GET /versions/{id}/{version}
    upstream: app
    permission: datasets:read
    resource: { type: version, id: query.version }
";

/// The configuration of these tests.
fn yaml(platform: &Platform) -> String {
    yaml_with(platform, "")
}

fn yaml_with(platform: &Platform, types: &str) -> String {
    let routes = crate::support::gateway::yaml(platform.address(), ROUTES);
    format!(
        "{}{}{routes}",
        TYPES.trim_start(),
        types.trim_start_matches('\n')
    )
}

struct House {
    platform: Platform,
    gateway: TestGateway,
    keys: Keys,
}

impl House {
    async fn open() -> Self {
        Self::with("").await
    }

    /// With more types of objects.
    async fn with(types: &str) -> Self {
        let platform = Platform::start();
        let gateway = TestGateway::start(&yaml_with(&platform, types)).await;
        let keys = gateway.seed();
        Self {
            platform,
            gateway,
            keys,
        }
    }

    /// A new dataset; its id.
    fn make(&self, key: &str, body: &str) -> String {
        let answer = self.gateway.request("POST", "/datasets", key, body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    fn read(&self, id: &str, key: &str) -> Answer {
        self.gateway.get(&format!("/datasets/{id}"), key)
    }
}

/// The ids in a list.
fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let list = answer.json();
    let items = list["datasets"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}
