//! The spool full, because Postgres is away for too long.

use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::load;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
";

async fn start(when_full: &str) -> (Upstream, TestGateway, Keys) {
    let upstream = Upstream::ok();
    let yaml = format!(
        "{}\naudit: {{ max_bytes: 1MiB, when_full: {when_full} }}\nworkers: 1",
        yaml(upstream.address(), ROUTES)
    );
    let gateway = TestGateway::start(&yaml).await;
    let keys = gateway.seed();
    gateway.make_known(&keys.viewer);
    gateway.make_known(&keys.editor);
    (upstream, gateway, keys)
}

/// Events a mebibyte surely does not take.
const FLOOD: usize = 4000;

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_refused_until_there_is_room() {
    let (upstream, mut gateway, keys) = start("refuse").await;
    gateway.postgres.stop();
    // Reads need room for one record, writes for two.
    let write = |number: usize| match number % 2 {
        0 => load::request("GET", "/things", &keys.viewer),
        _ => load::request("POST", "/things", &keys.editor),
    };
    let answers = load::send(&gateway, 4, FLOOD / 4, write);
    let with = |status: u16| answers.iter().filter(move |answer| answer.status == status);
    let refused = with(503).next().expect("a refusal");
    assert_eq!(refused.header("retry-after"), ["1"]);
    assert_eq!(refused.json()["code"], "audit_spool_full");
    let passed = with(200).count();
    assert!(passed > 100, "{passed}");
    assert_eq!(passed + with(503).count(), FLOOD);
    assert_eq!(
        upstream.received().len(),
        passed,
        "a refused one went through"
    );
    let metric = gateway.metric("portcullis_audit_refused_requests");
    assert_eq!(usize::try_from(metric).unwrap(), FLOOD - passed);
    gateway.postgres.restart().await;
    until("room", || {
        gateway.get("/things", &keys.viewer).status == 200
    });
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let passed_on = events.iter().filter(|event| event["result"] == "success");
    assert_eq!(passed_on.count(), passed + 1);
    let refused = events.iter().filter(|event| event["status"] == 503);
    for event in refused {
        assert_eq!(event["reason"], "audit_spool_full", "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn or_they_pass_unrecorded_and_counted_if_the_operator_chose_so() {
    let (_upstream, mut gateway, keys) = start("drop").await;
    let write = |_| load::request("POST", "/things", &keys.editor);
    gateway.wait_for_audit();
    let before = gateway.events().await.len();
    gateway.postgres.stop();
    let answers = load::send(&gateway, 4, FLOOD / 4, write);
    assert_eq!(answers.len(), FLOOD);
    assert!(answers.iter().all(|answer| answer.status == 200));
    let dropped = usize::try_from(gateway.metric("portcullis_audit_dropped_events")).unwrap();
    assert!(dropped > 0);
    gateway.postgres.restart().await;
    gateway.wait_for_audit();
    let after = gateway.events().await.len();
    assert_eq!(after - before + dropped, FLOOD);
    assert_eq!(
        gateway.request("POST", "/things", &keys.editor, "").status,
        200
    );
    gateway.wait_for_audit();
    assert_eq!(gateway.events().await.len(), after + 1);
}
