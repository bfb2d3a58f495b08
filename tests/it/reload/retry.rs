//! A reload that only the database keeps from happening is tried again.

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::upstream::Upstream;

const THINGS: &str = "  - { route: GET /things, upstream: app, permission: datasets:read }\n";
/// A permission that no role knows yet.
const WIDGETS: &str = "  - { route: GET /widgets, upstream: app, permission: widgets:read }\n\
                       permissions: { widgets: [read] }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_permission_waits_for_the_database() {
    let upstream = Upstream::ok();
    let text = yaml(upstream.address(), THINGS);
    let mut gateway = TestGateway::start(&text).await;
    let keys = gateway.seed();
    for key in [&keys.viewer, &keys.admin] {
        gateway.make_known(key);
    }
    let status = |gateway: &TestGateway, target: &str| gateway.get(target, &keys.viewer).status;
    gateway.postgres.stop();
    gateway.configure(&(text + WIDGETS));
    gateway.reload("failed");
    // The old rules serve on, and the new ones are not tried in part.
    assert_eq!(status(&gateway, "/things"), 200);
    assert_eq!(status(&gateway, "/widgets"), 404);
    assert_eq!(
        gateway.metric("portcullis_config_last_reload_successful"),
        0
    );
    until("another attempt", || gateway.reloads("failed") > 1);
    gateway.postgres.restart().await;
    until("the reload, without a word", || {
        gateway.reloads("success") == 1
    });
    until("the database to be heard", || {
        gateway.get("/widgets", &keys.viewer).status == 200
    });
    assert_eq!(status(&gateway, "/things"), 200);
    gateway.wait_for_audit();
    let told = gateway.cli(&["audit", "query", "--event", "config.reloaded", "--json"]);
    let events: Vec<serde_json::Value> = serde_json::from_str(&told).unwrap();
    let (last, first) = (events.first().unwrap(), events.last().unwrap());
    assert_eq!(first["reason"], "truth_unavailable");
    assert_eq!(last["result"], "success");
}
