//! Hostile input, class by class, over raw sockets: what is refused, what nevertheless
//! reaches the backend (nothing), and the legal neighbour that must still pass.

mod any_bytes;
mod credentials;
mod downloads;
mod floods;
mod forwarded;
mod framing;
mod host;
mod http2;
mod identity_headers;
mod leaks;
mod limits;
mod method;
mod path;
mod reload;
mod state;
mod streams;
mod unheard;
mod upgrade;
mod wire;

use std::sync::Mutex;

use serde_json::Value;

use crate::support::gateway::{Keys, TestGateway, yaml};
use crate::support::raw::Answer;
use crate::support::upstream::{Received, Upstream};

const ROUTES: &str = r#"
  - route: GET /things/{id}
    upstream: app
    permission: datasets:read
    resource: { type: thing, id: path.id }
    event: thing.read
  - route: POST /things
    upstream: app
    permission: datasets:create
    event: thing.created
  - route: GET /runs/get
    upstream: app
    permission: runs:read
  - route: GET|HEAD|OPTIONS /headed
    upstream: app
    permission: datasets:read
  - route: GET /whoami
    upstream: app
    authenticated: true
  - route: GET /open
    upstream: app
    public: "for a test"
  - route: GET /closed
    deny: "for a test"
identity:
  headers:
    X-MLFLOW-WORKSPACE: "{tenant.slug}--{project.slug}"
    X_Requested_With: "{project.slug}"
resources:
  - { type: thing, upstream: app, owner: backend }
"#;

/// A gateway, its backend, and what they did so far.
struct Bench {
    upstream: Upstream,
    gateway: TestGateway,
    keys: Keys,
    /// Ids of the requests that the gateway itself answered or forwarded.
    request_ids: Mutex<Vec<Option<String>>>,
}

impl Bench {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With more top-level keys.
    async fn with(more: &str) -> Self {
        let upstream = Upstream::ok();
        let text = format!("{}{more}", yaml(upstream.address(), ROUTES));
        let gateway = TestGateway::start(&text).await;
        Self::around(upstream, gateway)
    }

    /// Before this backend.
    async fn before(upstream: Upstream, more: &str) -> Self {
        let text = format!("{}{more}", yaml(upstream.address(), ROUTES));
        let gateway = TestGateway::start(&text).await;
        Self::around(upstream, gateway)
    }

    fn around(upstream: Upstream, gateway: TestGateway) -> Self {
        let keys = gateway.seed();
        Self {
            upstream,
            gateway,
            keys,
            request_ids: Mutex::default(),
        }
    }

    /// A request of the viewer's; each field ends its line.
    fn viewer(&self, line: &str, fields: &str) -> String {
        request(line, &format!("{}{fields}", bearer(&self.keys.viewer)))
    }

    /// Sends it; the answer has this status and nothing reached the backend.
    fn refused(&self, what: &str, status: u16, raw: impl AsRef<[u8]>) -> Answer {
        let before = self.upstream.received().len();
        let mut connection = self.gateway.connect();
        connection.send(raw);
        // No answer to a HEAD has a body, nor has any that this test is about.
        let answer = connection
            .answer()
            .unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        if status == 400 {
            assert!(connection.is_closed(), "{what}: still open");
        }
        let seen = &self.upstream.received()[before..];
        assert!(seen.is_empty(), "{what} reached the backend: {seen:#?}");
        self.remember(&answer);
        answer
    }

    /// Sends it; the answer is the backend's. Returns what that was sent.
    fn passes(&self, what: &str, raw: impl AsRef<[u8]>) -> Received {
        let before = self.upstream.received().len();
        let answer = self.gateway.raw(raw);
        let answer = answer.unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        self.remember(&answer);
        let mut seen = self.upstream.received().split_off(before);
        assert_eq!(seen.len(), 1, "{what}: {seen:#?}");
        seen.remove(0)
    }

    fn remember(&self, answer: &Answer) {
        let id = answer
            .header("x-request-id")
            .first()
            .map(ToString::to_string);
        self.request_ids.lock().unwrap().push(id);
    }

    /// Every request has exactly one audit event, and so has what was no request: the HTTP
    /// library's own refusals too, whose answers do not tell an id.
    async fn audited(self) -> Vec<Value> {
        self.gateway.wait_for_audit();
        let events = self.gateway.events().await;
        let ids = events.iter().map(|event| event["request_id"].as_str());
        let mut audited: Vec<_> = ids.map(|id| id.unwrap().to_owned()).collect();
        let sent = self.request_ids.into_inner().unwrap();
        assert_eq!(audited.len(), sent.len(), "as many events as answers");
        for id in sent.into_iter().flatten() {
            let at = audited.iter().position(|audited| *audited == id);
            audited.swap_remove(at.unwrap_or_else(|| panic!("no event of {id}")));
        }
        events
    }
}

fn request(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: gw\r\n{fields}\r\n")
}

fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}
