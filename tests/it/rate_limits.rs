//! Rate limits: exact, in the right order, and told to clients.

mod counting;
mod shared;
mod telling;

use crate::support::gateway::{TestGateway, yaml};
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

/// No limit here comes back while a test runs.
const ROUTES: &str = r#"
  - route: GET /things/{id}
    upstream: app
    permission: datasets:read
  - route: POST /things
    upstream: app
    permission: datasets:create
  - route: POST /inspected
    upstream: app
    permission: datasets:create
    forbid: [{ at: body./secret, reason: "it is one" }]
  - route: GET /few
    upstream: app
    permission: datasets:read
    rate: { key: 2/h }
  - route: GET /open
    upstream: app
    public: "for a test"
  - route: GET /open/few
    upstream: app
    public: "for a test"
    rate: { address: 2/h }
  - route: GET /fixed
    public: "for a test"
    respond: { body: {} }
"#;

/// A gateway with these sections besides the routes.
async fn start(sections: &str) -> (Upstream, TestGateway) {
    let upstream = Upstream::ok();
    let text = format!("{}{sections}", yaml(upstream.address(), ROUTES));
    let gateway = TestGateway::start(&text).await;
    (upstream, gateway)
}

/// A request with these header lines, on a connection of its own.
fn send(gateway: &TestGateway, line: &str, fields: &str) -> Answer {
    let raw = format!("{line} HTTP/1.1\r\nHost: gw\r\n{fields}\r\n");
    gateway.raw(raw).expect("an answer")
}

fn status(gateway: &TestGateway, target: &str, key: &str) -> u16 {
    gateway.get(target, key).status
}

/// How many answers have each of two statuses; there must be no others.
fn split(answers: &[Answer], statuses: [u16; 2]) -> [usize; 2] {
    let counts = statuses.map(|status| answers.iter().filter(|a| a.status == status).count());
    assert_eq!(counts.iter().sum::<usize>(), answers.len(), "{answers:?}");
    counts
}
