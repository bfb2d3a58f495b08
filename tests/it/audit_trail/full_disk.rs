//! The disk of the spool is full: a real one, small, and mounted for the gateway alone.

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::load;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
";

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_refused_until_there_is_room_again() {
    let upstream = Upstream::ok();
    // The spool may be larger than the disk: the disk is what ends first.
    let yaml = format!(
        "{}\naudit: {{ max_bytes: 8MiB }}\nworkers: 1",
        yaml(upstream.address(), ROUTES)
    );
    let mut gateway = TestGateway::prepare(&yaml).await;
    gateway.on_a_disk_of("3m");
    gateway.launch();
    let keys = gateway.seed();
    gateway.make_known(&keys.viewer);
    gateway.make_known(&keys.editor);
    gateway.wait_for_audit();
    gateway.postgres.stop();
    let flood = 8000;
    let answers = load::send(&gateway, 4, flood / 4, |number| match number % 2 {
        0 => load::request("GET", "/things", &keys.viewer),
        _ => load::request("POST", "/things", &keys.editor),
    });
    let with = |status: u16| answers.iter().filter(move |answer| answer.status == status);
    let passed = with(200).count();
    assert!(passed > 100, "{passed}");
    assert!(passed < flood, "the disk was never full");
    assert_eq!(passed + with(503).count(), flood);
    assert!(gateway.log().contains("No space left on device"));
    let refused = with(503).next().unwrap();
    assert_eq!(refused.json()["code"], "audit_spool_full");
    assert_eq!(gateway.private_get("/livez").status, 200);
    assert_eq!(
        gateway.metric("portcullis_audit_failed_events"),
        0,
        "no promise was broken"
    );
    gateway.postgres.restart().await;
    until("room", || {
        gateway.get("/things", &keys.viewer).status == 200
    });
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let success = events
        .iter()
        .filter(|event| event["result"] == "success")
        .count();
    assert!(success > passed, "{success} of {passed}");
    let mut recorded: Vec<_> = events
        .iter()
        .map(|event| event["request_id"].as_str().unwrap())
        .collect();
    recorded.sort_unstable();
    let all = recorded.len();
    recorded.dedup();
    assert_eq!(recorded.len(), all, "doubled");
    for answer in with(200) {
        let id = answer.header("x-request-id")[0];
        assert!(recorded.binary_search(&id).is_ok(), "lost: {id}");
    }
}
