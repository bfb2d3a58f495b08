//! The administration API, through the gateway, as its clients see it.

mod bindings;
mod document;
mod keys;
mod plumbing;
mod privilege;
mod probes;
mod races;
mod refusals;
mod resources;
mod schemathesis;

use std::fmt::Write as _;

use crate::support::gateway::TestGateway;
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

const V1: &str = "/.portcullis/api/v1";
const PROJECT: &str = "/tenants/acme/projects/fraud";

const THINGS: &str = "
  - { route: 'GET /things/{id}', upstream: app, permission: datasets:read, resource: { type: thing, id: path.id } }
  - { route: 'POST /things/{id}', upstream: app, permission: datasets:update, resource: { type: thing, id: path.id } }
";

/// A gateway with two tenants, and a key for each kind of caller.
struct World {
    gateway: TestGateway,
    /// Superadmin.
    admin: String,
    /// Client admin of acme.
    boss: String,
    /// Client admin of globex.
    rival: String,
    /// Owner of acme/fraud.
    owner: String,
    /// Editor of acme/fraud.
    editor: String,
    /// Viewer of acme/fraud.
    viewer: String,
    /// Auditor of acme/fraud.
    auditor: String,
}

impl World {
    async fn start() -> Self {
        let upstream = Upstream::ok();
        let yaml = crate::support::gateway::yaml(
            upstream.address(),
            "  - { route: 'GET /{rest...}', upstream: app, authenticated: true }\n",
        );
        Self::of(TestGateway::start(&yaml).await)
    }

    /// In front of a backend whose objects belong to projects.
    async fn with_things() -> Self {
        let yaml = crate::support::gateway::yaml(Upstream::ok().address(), THINGS);
        let world = Self::of(TestGateway::start(&yaml).await);
        let adopt = ["resources", "adopt", "app", "thing", "7", "8"];
        let to = ["--project", "acme/fraud"];
        world.gateway.cli(&[&adopt[..], &to].concat());
        world
    }

    /// The path of the record of a thing, as the project's list has it.
    fn record_of(&self, thing: &str) -> String {
        let resources = format!("{PROJECT}/resources");
        let list = self.get(&resources, &self.viewer).json();
        let items = list["items"].as_array().unwrap();
        let found = items.iter().find(|it| it["external_id"] == thing);
        let id = found.unwrap()["id"].as_str().unwrap();
        format!("{resources}/{id}")
    }

    /// Status of a request to the backend.
    fn backend(&self, method: &str, thing: &str, key: &str) -> u16 {
        let path = format!("/things/{thing}");
        self.gateway.request(method, &path, key, "").status
    }

    fn of(gateway: TestGateway) -> Self {
        gateway.seed();
        let roles = [
            ("boss", "acme", "client_admin"),
            ("rival", "globex", "client_admin"),
            ("auditor", "acme/fraud", "auditor"),
        ];
        for (user, scope, role) in roles {
            let user = format!("{user}@example.com");
            gateway.cli(&["users", "create", &user]);
            let args = ["--scope", scope, "--principal", &user, "--role", role];
            gateway.cli(&[&["members", "add"], &args[..]].concat());
        }
        let key = |user: &str| gateway.key(&format!("{user}@example.com"), None);
        Self {
            admin: key("admin"),
            boss: key("boss"),
            rival: key("rival"),
            owner: key("owner"),
            editor: key("editor"),
            viewer: key("viewer"),
            auditor: key("auditor"),
            gateway,
        }
    }

    fn get(&self, path: &str, key: &str) -> Answer {
        self.send("GET", path, key, "", &[])
    }

    fn post(&self, path: &str, key: &str, body: &str) -> Answer {
        self.send("POST", path, key, body, &[])
    }

    /// A change of what is as it is now.
    fn change(&self, method: &str, path: &str, key: &str, body: &str) -> Answer {
        let seen = path
            .strip_suffix("/owner")
            .or_else(|| path.strip_suffix("/project"))
            .unwrap_or(path);
        let etag = self.etag(seen);
        self.send(method, path, key, body, &[("If-Match", &etag)])
    }

    fn etag(&self, path: &str) -> String {
        let answer = self.get(path, &self.admin);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.header("ETag")[0].to_owned()
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut head = format!("{method} {V1}{path} HTTP/1.1\r\nHost: gw\r\n");
        if !key.is_empty() {
            write!(head, "Authorization: Bearer {key}\r\n").unwrap();
        }
        if !body.is_empty() {
            let length = body.len();
            head += "Content-Type: application/json\r\n";
            write!(head, "Content-Length: {length}\r\n").unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        let mut connection = self.gateway.connect();
        connection.send(format!("{head}\r\n{body}"));
        connection.answer_to(method).expect("an answer")
    }
}

/// Status and code of a refusal, whose body must be a problem.
fn refusal(answer: &Answer) -> String {
    assert_eq!(
        answer.header("Content-Type"),
        ["application/problem+json"],
        "{answer:?}"
    );
    let body = answer.json();
    assert_eq!(body["status"], answer.status, "{answer:?}");
    format!("{} {}", answer.status, body["code"].as_str().unwrap())
}
