//! The life of keys: made, limited, rotated, approved, unused, revoked all at once.

use serde_json::{Value, json};

use super::{World, refusal};
use crate::support::gateway::until;
use crate::support::raw::Answer;

const KEYS: &str = "/tenants/acme/keys";
const RULES: &str = "/tenants/acme/key-rules";

/// The public part of a key.
fn id_of(key: &str) -> &str {
    key.strip_prefix("pcl_live_").unwrap().get(..12).unwrap()
}

impl World {
    /// With a service account that reads things of acme/fraud.
    async fn with_robot() -> Self {
        let world = Self::with_things().await;
        let cli = |args: &[&str]| world.gateway.cli(args);
        cli(&["service-accounts", "create", "acme/robot"]);
        let scope = ["--scope", "acme/fraud", "--role", "viewer"];
        cli(&[&["members", "add", "--principal", "acme/robot"], &scope[..]].concat());
        world
    }

    /// A key that the client admin makes for the service account, with this besides.
    fn make(&self, more: &Value) -> Answer {
        let mut body = json!({ "principal": "acme/robot" });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.post(KEYS, &self.boss, &body.to_string())
    }

    fn token(&self, more: &Value) -> String {
        let made = self.make(more);
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["token"].as_str().unwrap().to_owned()
    }

    /// What the backend's route says to a key: the status, or the code of the refusal.
    fn thing(&self, key: &str) -> String {
        let answer = self.gateway.get("/things/7", key);
        match answer.status {
            200 => "200".to_owned(),
            _ => refusal(&answer),
        }
    }

    /// Until the gateway has heard of a change.
    fn becomes(&self, key: &str, what: &str) {
        until(what, || self.thing(key) == what);
    }

    fn rules(&self, rules: &Value) -> Answer {
        self.change("PUT", RULES, &self.boss, &rules.to_string())
    }

    /// What the list says of a key.
    fn listed(&self, key: &str) -> Value {
        let list = self.get(KEYS, &self.boss).json();
        let all = list["items"].as_array().unwrap().clone();
        let own = all.into_iter().find(|it| it["id"] == id_of(key));
        own.unwrap()
    }

    async fn sql(&self, change: String) {
        let mut owner = self.gateway.postgres.owner().await;
        let change = sqlx::query(sqlx::AssertSqlSafe(change));
        change.execute(&mut owner).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_and_both_work_until_a_set_time() {
    let world = World::with_robot().await;
    let first = world.token(&json!({ "projects": ["fraud"], "networks": ["127.0.0.0/8"],
        "rate": "1000/m", "expires_at": "2096-01-01T00:00:00Z" }));
    let rotate = |key: &str, body: &str, by: &str| {
        world.post(&format!("{KEYS}/{}/rotate", id_of(key)), by, body)
    };
    // Nobody else rotates it, and a tenant hears nothing of another's.
    assert_eq!(rotate(&first, "{}", &world.viewer).status, 403);
    let foreign = format!("/tenants/globex/keys/{}/rotate", id_of(&first));
    assert_eq!(world.post(&foreign, &world.rival, "{}").status, 404);
    assert_eq!(
        rotate("pcl_live_000000000000", "{}", &world.boss).status,
        404
    );
    assert_eq!(
        refusal(&rotate(&first, r#"{"overlap_hours": 2161}"#, &world.boss)),
        "422 invalid"
    );
    let made = rotate(&first, r#"{"overlap_hours": 1}"#, &world.boss);
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let second = made["token"].as_str().unwrap();
    assert_eq!(made["rotated_from"], id_of(&first));
    assert_eq!(made["projects"], json!(["fraud"]));
    assert_eq!(made["networks"], json!(["127.0.0.0/8"]));
    assert_eq!(made["rate"], "1000/m");
    assert_eq!(
        (world.thing(&first), world.thing(second)),
        ("200".into(), "200".into())
    );
    let end = world.listed(&first)["expires_at"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(*end < *made["expires_at"].as_str().unwrap(), "{end}");
    // Once each, and what works no more is not brought back by it.
    assert_eq!(refusal(&rotate(&first, "{}", &world.boss)), "409 conflict");
    let third = rotate(second, r#"{"overlap_hours": 0}"#, &world.boss).json();
    let third = third["token"].as_str().unwrap();
    world.becomes(second, "401 credential_invalid");
    assert_eq!(world.thing(third), "200");
    assert_eq!(world.listed(second)["state"], "expired");
    assert_eq!(refusal(&rotate(second, "{}", &world.boss)), "409 conflict");
    let event = world.gateway.events().await;
    let rotated = event
        .iter()
        .filter(|it| it["event"] == "api_key.rotated" && it["result"] == "success");
    assert_eq!(rotated.count(), 2);
    // By the operator, too.
    let fourth = world
        .gateway
        .cli(&["keys", "rotate", id_of(third), "--overlap", "1h"]);
    assert_eq!(
        (world.thing(third), world.thing(&fourth)),
        ("200".into(), "200".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_good_from_its_networks_only() {
    let world = World::with_robot().await;
    let here = world.token(&json!({ "networks": ["10.0.0.0/8", "127.0.0.0/8"] }));
    let away = world.token(&json!({ "networks": ["10.0.0.0/8", "::1/128"] }));
    assert_eq!(world.thing(&here), "200");
    assert_eq!(world.thing(&away), "401 credential_invalid");
    world.gateway.wait_for_audit();
    let events = world.gateway.events().await;
    assert_eq!(events.last().unwrap()["reason"], "credential_network");
    // Host bits mean nothing.
    assert_eq!(
        world.listed(&here)["networks"],
        json!(["10.0.0.0/8", "127.0.0.0/8"])
    );
    let loose = world.token(&json!({ "networks": ["127.0.0.9/8"] }));
    assert_eq!(world.listed(&loose)["networks"], json!(["127.0.0.0/8"]));
    for wrong in ["127.0.0.1/33", "anywhere", ""] {
        assert_eq!(
            world.make(&json!({ "networks": [wrong] })).status,
            422,
            "{wrong}"
        );
    }
    let many: Vec<_> = (0..51).map(|n| format!("10.{n}.0.0/16")).collect();
    assert_eq!(world.make(&json!({ "networks": many })).status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_a_rate_of_its_own() {
    let world = World::with_robot().await;
    let (few, other) = (
        world.token(&json!({ "rate": "2/h" })),
        world.token(&json!({})),
    );
    let seen: Vec<_> = (0..3).map(|_| world.thing(&few)).collect();
    assert_eq!(seen, ["200", "200", "429 rate_limited"]);
    assert_eq!(world.thing(&other), "200");
    for wrong in ["2", "0/h", "2/w", "-1/h", "2000000/s"] {
        assert_eq!(world.make(&json!({ "rate": wrong })).status, 422, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_was_last_used_for_is_told_and_what_is_unused_is_found() {
    let world = World::with_robot().await;
    let (used, idle) = (world.token(&json!({})), world.token(&json!({})));
    assert_eq!(world.thing(&used), "200");
    until("the use to be written", || {
        !world.listed(&used)["last_used_at"].is_null()
    });
    let listed = world.listed(&used);
    assert_eq!(listed["last_used_route"], "GET /things/{id}");
    assert_eq!(listed["last_used_address"], "127.0.0.1");
    let unused = |key: &str| {
        let path = format!("{KEYS}?unused_days=30");
        let list = world.get(&path, &world.boss).json();
        let by_api = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["id"] == id_of(key));
        let list = world.gateway.cli(&["keys", "unused", "--since", "30d"]);
        assert_eq!(list.contains(id_of(key)), by_api, "{list}");
        by_api
    };
    assert!(!unused(&used) && !unused(&idle), "they are young");
    let ids = format!("'{}', '{}'", id_of(&used), id_of(&idle));
    world
        .sql(format!(
            "UPDATE api_keys SET created_at = created_at - interval '31 days' WHERE id IN ({ids})"
        ))
        .await;
    assert!(!unused(&used) && unused(&idle));
    world
        .sql("UPDATE api_key_usage SET last_used_at = last_used_at - interval '31 days'".to_owned())
        .await;
    assert!(unused(&used));
    world.gateway.cli(&["keys", "revoke", id_of(&used)]);
    assert!(!unused(&used), "it is of no use any more");
    assert_eq!(
        world
            .get(&format!("{KEYS}?unused_days=0"), &world.boss)
            .status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_keys_of_one_or_of_a_tenant_are_revoked_in_one_call() {
    let world = World::with_robot().await;
    let cli = |args: &[&str]| world.gateway.cli(args);
    // Somebody who is in both tenants, with a key for both.
    let there = ["--scope", "globex/churn", "--role", "viewer"];
    cli(&[
        &["members", "add", "--principal", "editor@example.com"],
        &there[..],
    ]
    .concat());
    let robot = world.token(&json!({}));
    let own = world.gateway.key("editor@example.com", Some("acme/fraud"));
    let both = &world.editor;
    for key in [&robot, &own, both] {
        assert_eq!(world.thing(key), "200");
    }
    let all = "/tenants/acme/key-revocations";
    let of_tenant = r#"{"tenant": "acme"}"#;
    assert_eq!(world.post(all, &world.rival, of_tenant).status, 403);
    assert_eq!(world.post(all, &world.viewer, of_tenant).status, 403);
    let of_robot = r#"{"principal": "acme/robot"}"#;
    let revoked = world.post(all, &world.boss, of_robot);
    assert_eq!(revoked.json(), json!({ "revoked": 1 }));
    world.becomes(&robot, "401 credential_invalid");
    assert_eq!(world.thing(&own), "200");
    let of_user = r#"{"principal": "editor@example.com"}"#;
    assert_eq!(world.post(all, &world.boss, of_user).status, 422);
    let robot = world.token(&json!({}));
    let boss = world.gateway.key("boss@example.com", None);
    for wrong in [
        "{}",
        r#"{"tenant": "globex"}"#,
        r#"{"tenant": "acme", "principal": "acme/robot"}"#,
    ] {
        assert_eq!(world.post(all, &boss, wrong).status, 422, "{wrong}");
    }
    let revoked = world.post(all, &boss, of_tenant);
    assert_eq!(revoked.json(), json!({ "revoked": 1 }));
    world.becomes(&robot, "401 credential_invalid");
    // What may be good elsewhere is good for nothing here.
    world.becomes(&own, "403 key_cut_off");
    world.becomes(both, "403 key_cut_off");
    let me = world.get("/me", both);
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(
        refusal(&world.get(KEYS, &boss)),
        "403 key_cut_off",
        "its own"
    );
    // Another key is another key, and nothing brings an old one back.
    let boss = world.gateway.key("boss@example.com", None);
    until("the new key", || world.get(KEYS, &boss).status == 200);
    let rules = world.get(RULES, &boss).json();
    assert!(rules["not_before"].is_string(), "{rules}");
    let any = [("If-Match", "*")];
    let changed = world.send("PUT", RULES, &boss, "{}", &any);
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(world.thing(both), "403 key_cut_off");
    // By the operator, of somebody, wherever they are.
    let new = world.gateway.key("editor@example.com", None);
    assert_eq!(world.thing(&new), "200");
    let done = cli(&["keys", "revoke-all", "--principal", "editor@example.com"]);
    assert!(done.starts_with("revoked keys: "), "{done}");
    world.becomes(&new, "401 credential_invalid");
    assert_eq!(world.gateway.cli_code(&["keys", "revoke-all"]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_await_approval_where_a_tenant_asks_for_that() {
    let world = World::with_robot().await;
    let former = world.gateway.key("editor@example.com", Some("acme/fraud"));
    let asked = world.rules(&json!({ "approval": true }));
    assert_eq!(asked.json()["approval"], true, "{asked:?}");
    let key = world.gateway.key("editor@example.com", Some("acme/fraud"));
    let elsewhere = world.gateway.key("stranger@example.com", None);
    assert_eq!(world.thing(&former), "200", "it is not new");
    world.becomes(&key, "403 key_pending");
    // What a client admin makes is approved thereby.
    let robot = world.token(&json!({}));
    assert_eq!(
        (world.thing(&robot), world.listed(&robot)["state"].clone()),
        ("200".into(), json!("active"))
    );
    let pending = "/tenants/acme/pending-keys";
    let list = world.get(pending, &world.boss).json();
    let ids: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].clone())
        .collect();
    assert_eq!(ids, [id_of(&key)]);
    assert_eq!(list["items"][0]["state"], "pending");
    assert_eq!(list["items"][0]["principal"], "editor@example.com");
    let states = world.gateway.cli(&[
        "--json",
        "keys",
        "list",
        "--principal",
        "editor@example.com",
    ]);
    let states: Value = serde_json::from_str(&states).unwrap();
    assert_eq!(states[0]["state"], "pending", "{states}");
    // Not by its holder, not by another tenant, and not what is not for this one.
    let approve =
        |key: &str, by: &str| world.post(&format!("{KEYS}/{}/approve", id_of(key)), by, "");
    assert_eq!(approve(&key, &world.editor).status, 403);
    let foreign = format!("/tenants/globex/keys/{}/approve", id_of(&key));
    assert_eq!(world.post(&foreign, &world.rival, "").status, 404);
    assert_eq!(approve(&elsewhere, &world.boss).status, 404);
    assert_eq!(world.thing(&key), "403 key_pending");
    let approved = approve(&key, &world.boss);
    assert_eq!(approved.status, 204, "{approved:?}");
    world.becomes(&key, "200");
    assert_eq!(refusal(&approve(&key, &world.boss)), "409 conflict");
    assert_eq!(world.get(pending, &world.boss).json()["items"], json!([]));
    // What takes its place need not be approved again.
    let next = world.gateway.cli(&["keys", "rotate", id_of(&key)]);
    assert_eq!(world.thing(&next), "200");
    let other = world.gateway.key("editor@example.com", None);
    world.becomes(&other, "403 key_pending");
    world
        .gateway
        .cli(&["keys", "approve", id_of(&other), "--tenant", "acme"]);
    world.becomes(&other, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_says_how_long_keys_last() {
    let world = World::with_robot().await;
    let forever = world.token(&json!({}));
    let set = world.rules(&json!({ "default_days": 30, "max_days": 90 }));
    assert_eq!(set.status, 200, "{set:?}");
    let days = |key: &str| {
        let key = world.listed(key);
        let at = |name: &str| {
            key[name]
                .as_str()
                .unwrap()
                .parse::<chrono::DateTime<chrono::Utc>>()
                .unwrap()
        };
        (at("expires_at") - at("created_at")).num_days()
    };
    assert_eq!(days(&world.token(&json!({}))), 30);
    let late = world.make(&json!({ "expires_at": "2096-01-01T00:00:00Z" }));
    assert_eq!(late.status, 422, "{late:?}");
    assert!(late.body.contains("after 90 days at most"), "{late:?}");
    // A person's own, by what it is for.
    let create = [
        "keys",
        "create",
        "--principal",
        "editor@example.com",
        "--project",
    ];
    let (code, _) = world
        .gateway
        .cli_code(&[&create[..], &["acme/fraud", "--expires", "91d"]].concat());
    assert_eq!(code, 1);
    world
        .gateway
        .cli(&[&create[..], &["acme/fraud", "--expires", "89d"]].concat());
    // One of before is good for as long, whatever it says itself.
    assert_eq!(world.thing(&forever), "200");
    let id = id_of(&forever);
    world
        .sql(format!(
            "UPDATE api_keys SET created_at = created_at - interval '91 days' WHERE id = '{id}'"
        ))
        .await;
    world.becomes(&forever, "403 key_old");
    for (rules, status) in [
        (json!({ "default_days": 0 }), 422),
        (json!({ "max_days": 3651 }), 422),
        (json!({ "default_days": 8, "max_days": 7 }), 422),
        (json!({ "not_before": null }), 422),
    ] {
        assert_eq!(world.rules(&rules).status, status, "{rules}");
    }
}
