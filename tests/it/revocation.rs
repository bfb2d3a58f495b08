//! What is taken away is gone at once, on every replica.

use std::time::{Duration, Instant};

use portcullis::clock::Clock;
use serde_json::Value;

use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
  - { route: GET /me, upstream: app, authenticated: true }
";
/// How long a change may take to reach a gateway.
const PROMPT: Duration = Duration::from_secs(1);

async fn start() -> (Upstream, TestGateway, Keys) {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    (upstream, gateway, keys)
}

/// Waits until a read with this key gets this status, counted from `since`.
fn promptly(gateway: &TestGateway, key: &str, status: u16, since: Instant) {
    until("the change to be felt", || {
        gateway.get("/things", key).status == status
    });
    let took = Clock::system().instant() - since;
    assert!(took < PROMPT, "{took:?}");
}

/// Runs a command and waits until the key gets this status instead of 200.
fn after(gateway: &TestGateway, args: &[&str], key: &str, status: u16) {
    assert_eq!(gateway.get("/things", key).status, 200, "before {args:?}");
    gateway.cli(args);
    promptly(gateway, key, status, Clock::system().instant());
}

/// Members at acme/fraud.
fn member<'a>(verb: &'a str, who: &'a str, role: &'a str) -> [&'a str; 8] {
    let scope = "acme/fraud";
    [
        "members",
        verb,
        "--scope",
        scope,
        "--principal",
        who,
        "--role",
        role,
    ]
}

fn key_id(key: &str) -> &str {
    key.split('_').nth(2).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_within_a_second() {
    let (_upstream, gateway, keys) = start().await;
    after(
        &gateway,
        &["keys", "revoke", key_id(&keys.viewer)],
        &keys.viewer,
        401,
    );
    let answer = gateway.get("/things", &keys.viewer);
    assert_eq!(answer.json()["code"], "credential_invalid");
    assert_eq!(gateway.get("/things", &keys.editor).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_principal_is_refused_until_it_is_enabled() {
    let (_upstream, gateway, keys) = start().await;
    after(
        &gateway,
        &["users", "disable", "viewer@example.com"],
        &keys.viewer,
        401,
    );
    gateway.cli(&["users", "enable", "viewer@example.com"]);
    promptly(&gateway, &keys.viewer, 200, Clock::system().instant());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_has_a_key_that_opens_nothing() {
    let (_upstream, gateway, keys) = start().await;
    let other = gateway.key("viewer@example.com", None);
    after(
        &gateway,
        &member("remove", "viewer@example.com", "viewer"),
        &keys.viewer,
        403,
    );
    assert_ne!(gateway.get("/things", &other).status, 200);
    assert_eq!(gateway.get("/me", &other).status, 200, "still somebody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_can_never_do_more_than_its_holder_at_that_moment() {
    let (_upstream, gateway, keys) = start().await;
    let write = || {
        gateway
            .request("POST", "/things", &keys.editor, "{}")
            .status
    };
    assert_eq!(write(), 200);
    gateway.cli(&member("add", "editor@example.com", "viewer"));
    gateway.cli(&member("remove", "editor@example.com", "editor"));
    let since = Clock::system().instant();
    until("the lesser role", || write() == 403);
    assert!(Clock::system().instant() - since < PROMPT);
    assert_eq!(
        gateway.get("/things", &keys.editor).status,
        200,
        "it may still read"
    );
    gateway.cli(&member("add", "editor@example.com", "editor"));
    until("the greater role", || write() == 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_custom_role_grants_nothing() {
    let (_upstream, gateway, _) = start().await;
    gateway.cli(&[
        "roles",
        "create",
        "--tenant",
        "acme",
        "reader",
        "--scope",
        "project",
        "--permissions",
        "datasets:read",
    ]);
    gateway.cli(&["users", "create", "custom@example.com"]);
    gateway.cli(&member("add", "custom@example.com", "reader"));
    let key = gateway.key("custom@example.com", Some("acme/fraud"));
    promptly(&gateway, &key, 200, Clock::system().instant());
    let (code, _) = gateway.cli_code(&["roles", "delete", "--tenant", "acme", "reader"]);
    if code != 0 {
        // In use: its members first.
        gateway.cli(&member("remove", "custom@example.com", "reader"));
        gateway.cli(&["roles", "delete", "--tenant", "acme", "reader"]);
    }
    promptly(&gateway, &key, 403, Clock::system().instant());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_when_it_expires() {
    let (_upstream, gateway, _) = start().await;
    let key = gateway.cli(&[
        "keys",
        "create",
        "--principal",
        "viewer@example.com",
        "--project",
        "acme/fraud",
        "--expires",
        "2s",
    ]);
    let made = Clock::system().instant();
    assert_eq!(gateway.get("/things", &key).status, 200);
    until("the end of the key", || {
        gateway.get("/things", &key).status == 401
    });
    let lived = Clock::system().instant() - made;
    assert!(
        lived < Duration::from_secs(3),
        "a cached key outlived its expiry: {lived:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_be_narrower_than_its_holder() {
    let (upstream, gateway, _) = start().await;
    let key = gateway.cli(&[
        "keys",
        "create",
        "--principal",
        "editor@example.com",
        "--permission",
        "datasets:read",
        "--description",
        "reads only",
    ]);
    assert_eq!(gateway.get("/things", &key).status, 200);
    let write = gateway.request("POST", "/things", &key, "{}");
    assert_eq!(write.status, 403);
    let elsewhere = gateway.cli(&[
        "keys",
        "create",
        "--principal",
        "admin@example.com",
        "--project",
        "globex/churn",
    ]);
    let named = format!(
        "GET /things HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {elsewhere}\r\n\
         X-Portcullis-Project: acme/fraud\r\n\r\n"
    );
    assert_eq!(gateway.raw(named).unwrap().status, 200);
    let seen = upstream.received().pop().unwrap();
    assert_eq!(seen.header("x-portcullis-tenant"), ["globex"]);
    assert_eq!(
        seen.header("x-portcullis-project"),
        ["churn"],
        "whatever is named"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn last_use_is_noted_with_time_and_address() {
    let (_upstream, gateway, keys) = start().await;
    let listed =
        || -> Value { serde_json::from_str(&gateway.cli(&["keys", "list", "--json"])).unwrap() };
    let entry = |list: &Value| -> Value {
        let id = key_id(&keys.viewer);
        let found = list.as_array().unwrap().iter().find(|key| key["id"] == id);
        found.unwrap().clone()
    };
    assert!(entry(&listed())["last_used_at"].is_null());
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    until("the note", || !entry(&listed())["last_used_at"].is_null());
    assert_eq!(entry(&listed())["last_used_ip"], "127.0.0.1");
    assert!(
        !listed().to_string().contains(&keys.viewer),
        "a key is shown once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_see_each_others_changes() {
    let (upstream, gateway, keys) = start().await;
    let mut second = gateway.replica(&yaml(upstream.address(), ROUTES));
    second.launch();
    assert_eq!(second.get("/things", &keys.viewer).status, 200);
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    second.cli(&["keys", "revoke", key_id(&keys.viewer)]);
    let since = Clock::system().instant();
    promptly(&gateway, &keys.viewer, 401, since);
    promptly(&second, &keys.viewer, 401, since);
    gateway.cli(&member("remove", "editor@example.com", "editor"));
    let since = Clock::system().instant();
    promptly(&second, &keys.editor, 403, since);
    promptly(&gateway, &keys.editor, 403, since);
    assert!(second.stop());
}

/// Notifications are lost when the connection that listens dies: the poll finds out.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_notification_is_made_good_by_the_poll() {
    let (_upstream, gateway, keys) = start().await;
    gateway.make_known(&keys.viewer);
    let mut owner = gateway.postgres.owner().await;
    // Triggers off: a change without news of it, but for the version.
    silently_revoke(&mut owner).await;
    let since = Clock::system().instant();
    until("the poll", || {
        gateway.get("/things", &keys.viewer).status == 401
    });
    let took = Clock::system().instant() - since;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

async fn silently_revoke(owner: &mut sqlx::PgConnection) {
    sqlx::raw_sql(
        "ALTER TABLE api_keys DISABLE TRIGGER USER;
         UPDATE api_keys SET revoked_at = now();
         UPDATE policy_version SET version = version + 1;
         ALTER TABLE api_keys ENABLE TRIGGER USER;",
    )
    .execute(owner)
    .await
    .unwrap();
}

/// The truth is asked for again after Postgres was away: what was revoked meanwhile,
/// by whatever way, is gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_while_the_gateway_was_deaf_is_gone_afterwards() {
    let (_upstream, mut gateway, keys) = start().await;
    gateway.make_known(&keys.viewer);
    gateway.postgres.stop();
    gateway.postgres.restart().await;
    let mut owner = gateway.postgres.owner().await;
    silently_revoke(&mut owner).await;
    until("the truth", || {
        gateway.get("/things", &keys.viewer).status == 401
    });
}
