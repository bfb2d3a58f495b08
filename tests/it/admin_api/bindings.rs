//! Bindings with conditions, on single objects, and those that deny, made through the API and
//! held to by the data plane.

use serde_json::{Value, json};

use super::{PROJECT, World, refusal};

const BINDINGS: &str = "/tenants/acme/bindings";

impl World {
    /// Binds the viewer in the project; returns where the binding is.
    fn bind(&self, what: &Value) -> String {
        let mut body = json!({"principal": "viewer@example.com", "project": "fraud"});
        for (name, value) in what.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = self.post(BINDINGS, &self.boss, &body.to_string());
        assert_eq!(made.status, 201, "{made:?}");
        format!("{BINDINGS}/{}", made.json()["id"].as_str().unwrap())
    }

    fn unbind(&self, binding: &str) {
        let gone = self.send("DELETE", binding, &self.boss, "", &[]);
        assert_eq!(gone.status, 204, "{gone:?}");
    }

    fn label(&self, thing: &str, environment: &str) {
        let labels = json!({"labels": {"environment": environment, "tier": "gold"}});
        let record = self.record_of(thing);
        let done = self.change("PATCH", &record, &self.owner, &labels.to_string());
        assert_eq!(done.status, 200, "{done:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_counts_where_its_condition_holds_of_the_object() {
    let world = World::with_things().await;
    world.label("7", "dev");
    world.label("8", "production");
    let writes = |thing: &str| world.backend("POST", thing, &world.viewer);
    assert_eq!((writes("7"), writes("8")), (403, 403));
    let outside =
        world.bind(&json!({"role": "editor", "when": "resource.environment != \"production\""}));
    assert_eq!((writes("7"), writes("8")), (200, 403));
    world.unbind(&outside);
    assert_eq!((writes("7"), writes("8")), (403, 403));
    let tagged =
        world.bind(&json!({"role": "editor", "when": "resource.labels[\"tier\"] == \"gold\""}));
    assert_eq!((writes("7"), writes("8")), (200, 200));
    world.unbind(&tagged);
    // A condition that cannot be evaluated grants nothing.
    world.bind(&json!({"role": "editor", "when": "resource.labels[\"none\"] != \"gold\""}));
    assert_eq!((writes("7"), writes("8")), (403, 403));
    assert_eq!(world.backend("GET", "7", &world.viewer), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_on_one_object_counts_there_only() {
    let world = World::with_things().await;
    let record = world.record_of("7");
    let id = record.rsplit('/').next().unwrap();
    world.bind(&json!({"role": "editor", "resource": id}));
    assert_eq!(world.backend("POST", "7", &world.viewer), 200);
    assert_eq!(world.backend("POST", "8", &world.viewer), 403);
    let unknown = json!({"principal": "viewer@example.com", "role": "editor", "project": "fraud",
        "resource": "01a20424-7f4f-730b-9cb3-2278a440387d"});
    let answer = world.post(BINDINGS, &world.boss, &unknown.to_string());
    assert_eq!(refusal(&answer), "422 resource_unknown");
    let nowhere = json!({"principal": "viewer@example.com", "role": "editor", "resource": id});
    let answer = world.post(BINDINGS, &world.boss, &nowhere.to_string());
    assert_eq!(refusal(&answer), "422 project_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_denies_wins_and_denies_also_where_it_cannot_be_evaluated() {
    let world = World::with_things().await;
    world.label("7", "dev");
    world.bind(&json!({"role": "editor"}));
    let writes = |thing: &str| world.backend("POST", thing, &world.viewer);
    assert_eq!((writes("7"), writes("8")), (200, 200));
    let record = world.record_of("7");
    let id = record.rsplit('/').next().unwrap();
    let one = world.bind(&json!({"role": "editor", "resource": id, "effect": "deny"}));
    assert_eq!((writes("7"), writes("8")), (403, 200));
    world.unbind(&one);
    let dev = world.bind(
        &json!({"role": "editor", "effect": "deny", "when": "resource.environment == \"dev\""}),
    );
    assert_eq!((writes("7"), writes("8")), (403, 200));
    world.unbind(&dev);
    // The label is on one of them only.
    let broken = world.bind(&json!({"role": "editor", "effect": "deny", "when": "resource.labels[\"tier\"] == \"tin\""}));
    assert_eq!((writes("7"), writes("8")), (200, 403));
    world.unbind(&broken);
    assert_eq!((writes("7"), writes("8")), (200, 200));
}

/// What somebody has under a condition, or on one object, goes with them: so it must be the
/// remover's to give.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_not_removed_by_who_could_not_give_all_that_it_has() {
    let world = World::with_things().await;
    let clerk =
        r#"{"name": "clerk", "scope": "project", "permissions": ["*:read", "members:manage"]}"#;
    assert_eq!(
        world.post("/tenants/acme/roles", &world.boss, clerk).status,
        201
    );
    world.bind(&json!({"principal": "auditor@example.com", "role": "clerk"}));
    let conditional =
        world.bind(&json!({"role": "editor", "when": "resource.environment == \"dev\""}));
    let viewer = world.get("/me", &world.viewer).json()["id"].clone();
    let member = format!("{PROJECT}/members/{}", viewer.as_str().unwrap());
    let refused = world.change("DELETE", &member, &world.auditor, "");
    assert_eq!(refusal(&refused), "403 beyond_authority");
    world.unbind(&conditional);
    let removed = world.change("DELETE", &member, &world.auditor, "");
    assert_eq!(removed.status, 204, "{removed:?}");
    world.gateway.wait_for_audit();
    let events = world.gateway.events().await;
    let denied = events
        .iter()
        .find(|it| it["reason"] == "beyond_authority")
        .unwrap();
    assert_eq!(
        (&denied["event"], &denied["result"]),
        (&json!("authz.denied"), &json!("denied"))
    );
    assert_eq!(denied["details"]["intended"], "member.removed");
}
