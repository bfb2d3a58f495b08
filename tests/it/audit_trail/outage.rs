//! Postgres away while requests come.

use super::recorded;
use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::load;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
  - { route: GET /health, upstream: app, public: \"liveness, tells nothing\" }
";

async fn start(settings: &str) -> (Upstream, TestGateway, Keys) {
    let upstream = Upstream::ok();
    let yaml = format!("{}\n{settings}", yaml(upstream.address(), ROUTES));
    let gateway = TestGateway::start(&yaml).await;
    let keys = gateway.seed();
    (upstream, gateway, keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_on_and_no_event_is_lost() {
    let (_upstream, mut gateway, keys) = start("").await;
    let write = |number: usize| match number % 3 {
        0 => load::request("POST", "/things", &keys.editor),
        1 => load::request("GET", "/things", &keys.viewer),
        _ => load::request("POST", "/things", &keys.viewer),
    };
    let unseen = gateway.key("owner@example.com", None);
    gateway.make_known(&keys.viewer);
    gateway.make_known(&keys.editor);
    let mut answers = load::send(&gateway, 4, 25, write);
    gateway.postgres.stop();
    let during = load::send(&gateway, 8, 100, write);
    assert_eq!(during.len(), 800);
    let odd = during
        .iter()
        .find(|answer| !matches!(answer.status, 200 | 403));
    assert!(odd.is_none(), "{odd:?}");
    assert_eq!(
        gateway.private_get("/readyz").status,
        200,
        "cached truth serves"
    );
    assert!(gateway.metric("portcullis_audit_spool_events") >= 800);
    answers.extend(during);
    // Nobody can tell whether it is genuine: not the client's fault.
    answers.push(gateway.get("/things", &unseen));
    assert_eq!(answers.last().unwrap().status, 503);
    gateway.postgres.restart().await;
    gateway.wait_for_audit();
    answers.push(gateway.get("/things", &unseen));
    assert_eq!(answers.last().unwrap().status, 200);
    gateway.wait_for_audit();
    let mut answered = load::request_ids(&answers);
    answered.sort();
    assert_eq!(recorded(&gateway.events().await), answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_postgres_loses_and_doubles_nothing() {
    let (_upstream, mut gateway, keys) = start("").await;
    let write = |_| load::request("GET", "/things", &keys.viewer);
    let mut answers = load::send(&gateway, 4, 100, write);
    // In the midst of the copying, most likely.
    gateway.postgres.crash();
    answers.extend(load::send(&gateway, 4, 50, write));
    gateway.postgres.restart().await;
    answers.extend(load::send(&gateway, 4, 50, write));
    gateway.wait_for_audit();
    let mut answered = load::request_ids(&answers);
    answered.sort();
    assert_eq!(answered.len(), 800);
    assert_eq!(recorded(&gateway.events().await), answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_survives_a_restart_of_the_gateway() {
    let (_upstream, mut gateway, keys) = start("").await;
    gateway.make_known(&keys.viewer);
    gateway.postgres.stop();
    let answers = load::send(&gateway, 2, 20, |_| {
        load::request("GET", "/things", &keys.viewer)
    });
    gateway.kill();
    gateway.postgres.restart().await;
    gateway.launch();
    gateway.wait_for_audit();
    assert_eq!(answers.len(), 40);
    assert_eq!(recorded(&gateway.events().await).len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn truth_that_is_too_old_is_not_believed() {
    let (_upstream, mut gateway, keys) = start("cache: { poll: 100ms, max_staleness: 10s }").await;
    gateway.make_known(&keys.viewer);
    gateway.postgres.stop();
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    until("the truth to be too old", || {
        gateway.get("/things", &keys.viewer).status == 503
    });
    let answer = gateway.get("/things", &keys.viewer);
    assert_eq!(answer.header("retry-after"), ["1"]);
    assert_eq!(answer.json()["code"], "truth_unavailable");
    let ready = gateway.private_get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("role table"), "{}", ready.body);
    assert_eq!(gateway.private_get("/livez").status, 200);
    let public = gateway
        .raw("GET /health HTTP/1.1\r\nHost: gw\r\n\r\n")
        .unwrap();
    assert_eq!(public.status, 200, "a public route needs no truth");
    gateway.postgres.restart().await;
    until("the truth to be back", || {
        gateway.get("/things", &keys.viewer).status == 200
    });
    until("readiness", || gateway.private_get("/readyz").status == 200);
}

/// An outage may begin when the entry of a key is old: it lasts as long as the truth.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_known_for_long_goes_on_during_an_outage() {
    let (_upstream, mut gateway, keys) = start("cache: { poll: 100ms, max_staleness: 10s }").await;
    let get = || gateway.get("/things", &keys.viewer).status;
    let clock = portcullis::clock::Clock::system();
    let first = clock.instant();
    let age = || (clock.instant() - first).as_millis();
    until("an old entry", || get() == 200 && age() > 8_000);
    gateway.postgres.stop();
    let get = || gateway.get("/things", &keys.viewer).status;
    until("an entry older than the bound", || {
        assert_eq!(get(), 200);
        age() > 12_000
    });
}
