//! Nobody gives away more than they hold.

use serde_json::json;

use super::{PROJECT, World, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_more_than_they_hold() {
    let world = World::start().await;
    let superadmin = r#"{"principal": "viewer@example.com", "role": "superadmin"}"#;
    let answer = world.post("/tenants/acme/bindings", &world.boss, superadmin);
    assert_eq!(refusal(&answer), "422 role_unknown");
    let elsewhere = r#"{"principal": "viewer@example.com", "role": "viewer", "project": "churn"}"#;
    let answer = world.post("/tenants/acme/bindings", &world.boss, elsewhere);
    assert_eq!(refusal(&answer), "422 project_unknown");
    // A role that manages members and holds little else makes nobody an editor.
    let role =
        r#"{"name": "clerk", "scope": "project", "permissions": ["members:*", "projects:read"]}"#;
    assert_eq!(
        world.post("/tenants/acme/roles", &world.boss, role).status,
        201
    );
    let clerk = r#"{"principal": "viewer@example.com", "role": "clerk", "project": "fraud"}"#;
    assert_eq!(
        world
            .post("/tenants/acme/bindings", &world.boss, clerk)
            .status,
        201
    );
    let members = format!("{PROJECT}/members");
    let add = |role: &str| json!({"principal": "boss@example.com", "role": role}).to_string();
    let answer = world.post(&members, &world.viewer, &add("editor"));
    assert_eq!(refusal(&answer), "403 beyond_authority");
    assert_eq!(
        world.post(&members, &world.viewer, &add("clerk")).status,
        201
    );
    let list = world.get(&members, &world.viewer).json();
    let id_of = |who: &str| {
        let items = list["items"].as_array().unwrap();
        let found = items.iter().find(|it| it["email"] == who).unwrap();
        format!("{members}/{}", found["id"].as_str().unwrap())
    };
    let editor = id_of("editor@example.com");
    let answer = world.change("DELETE", &editor, &world.viewer, "");
    assert_eq!(refusal(&answer), "403 beyond_authority");
    let owner = id_of("owner@example.com");
    let answer = world.change("DELETE", &owner, &world.boss, "");
    assert_eq!(refusal(&answer), "409 conflict");
    let answer = world.change("PATCH", &owner, &world.boss, r#"{"role": "viewer"}"#);
    assert_eq!(refusal(&answer), "409 conflict");
    let before = world.get(&editor, &world.owner).json();
    let changed = world.change("PATCH", &editor, &world.owner, r#"{"role": "auditor"}"#);
    assert_eq!(changed.json()["roles"], json!(["auditor"]), "{changed:?}");
    assert_eq!(changed.json()["joined_at"], before["joined_at"]);
    let answer = world.change("DELETE", &editor, &world.owner, "");
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(
        refusal(&world.get(PROJECT, &world.editor)),
        "403 project_closed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_or_depends_is_nobodys_to_give() {
    let world = World::start().await;
    let deny = json!({"principal": "owner@example.com", "role": "editor", "project": "fraud", "effect": "deny"});
    let answer = world.post("/tenants/acme/bindings", &world.boss, &deny.to_string());
    assert_eq!(answer.status, 201, "{answer:?}");
    let add = r#"{"principal": "boss@example.com", "role": "editor"}"#;
    let answer = world.post(&format!("{PROJECT}/members"), &world.owner, add);
    assert_eq!(refusal(&answer), "403 beyond_authority");
    let admin = json!({"principal": "admin@example.com", "role": "viewer", "project": "fraud", "effect": "deny"});
    let role =
        r#"{"name": "guard", "scope": "tenant", "permissions": ["*:read", "members:manage"]}"#;
    assert_eq!(
        world.post("/tenants/acme/roles", &world.boss, role).status,
        201
    );
    let guard = r#"{"principal": "auditor@example.com", "role": "guard"}"#;
    assert_eq!(
        world
            .post("/tenants/acme/bindings", &world.boss, guard)
            .status,
        201
    );
    let answer = world.post("/tenants/acme/bindings", &world.auditor, &admin.to_string());
    assert_eq!(refusal(&answer), "403 beyond_authority");
    let broken = json!({"principal": "viewer@example.com", "role": "viewer", "project": "fraud", "when": "1 +"});
    let answer = world.post("/tenants/acme/bindings", &world.boss, &broken.to_string());
    assert_eq!(refusal(&answer), "422 condition_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_permits_no_more_than_its_maker_holds() {
    let world = World::start().await;
    world
        .gateway
        .cli(&["service-accounts", "create", "acme/robot"]);
    world
        .gateway
        .cli(&["service-accounts", "create", "globex/robot"]);
    let bind = [
        "--scope",
        "acme/fraud",
        "--principal",
        "acme/robot",
        "--role",
        "editor",
    ];
    world
        .gateway
        .cli(&[&["members", "add"], &bind[..]].concat());
    let role = r#"{"name": "smith", "scope": "tenant", "permissions": ["keys:*", "*:read"]}"#;
    assert_eq!(
        world.post("/tenants/acme/roles", &world.boss, role).status,
        201
    );
    let smith = r#"{"principal": "auditor@example.com", "role": "smith"}"#;
    assert_eq!(
        world
            .post("/tenants/acme/bindings", &world.boss, smith)
            .status,
        201
    );
    let keys = "/tenants/acme/keys";
    let answer = world.post(keys, &world.auditor, r#"{"principal": "acme/robot"}"#);
    assert_eq!(refusal(&answer), "403 beyond_authority");
    let reading = r#"{"principal": "acme/robot", "permissions": ["*:read"]}"#;
    let made = world.post(keys, &world.auditor, reading);
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let token = made["token"].as_str().unwrap();
    assert_eq!(world.get(PROJECT, token).status, 200);
    let user = r#"{"principal": "viewer@example.com", "projects": ["fraud"]}"#;
    assert_eq!(
        refusal(&world.post(keys, &world.boss, user)),
        "422 principal_refused"
    );
    let foreign = r#"{"principal": "globex/robot"}"#;
    assert_eq!(
        refusal(&world.post(keys, &world.boss, foreign)),
        "422 principal_unknown"
    );
    let listed = world.get(keys, &world.boss).body;
    assert!(listed.contains(made["id"].as_str().unwrap()) && !listed.contains(token));
    let key = format!("{keys}/{}", made["id"].as_str().unwrap());
    assert_eq!(world.send("DELETE", &key, &world.boss, "", &[]).status, 204);
    assert_eq!(
        refusal(&world.get(PROJECT, token)),
        "401 credential_invalid"
    );
    assert_eq!(
        refusal(&world.send("DELETE", &key, &world.boss, "", &[])),
        "409 conflict"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_given_away_and_deleted_once_nothing_depends_on_it() {
    let world = World::start().await;
    let to = r#"{"owner": "viewer@example.com"}"#;
    let owner = format!("{PROJECT}/owner");
    let given = world.change("PUT", &owner, &world.owner, to);
    assert_eq!(given.json()["owner"], "viewer@example.com", "{given:?}");
    let again = world.change("PUT", &owner, &world.viewer, to);
    assert_eq!(refusal(&again), "409 conflict");
    let former = world.change("PUT", &owner, &world.owner, to);
    assert_eq!(refusal(&former), "403 permission_missing");
    // The former owner may be a member already.
    for to in ["editor@example.com", "viewer@example.com"] {
        let to = format!(r#"{{"owner": "{to}"}}"#);
        let given = world.change("PUT", &owner, &world.admin, &to);
        assert_eq!(given.status, 200, "{given:?}");
    }
    // The keys of the seed are limited to it.
    let answer = world.change("DELETE", PROJECT, &world.viewer, "");
    assert_eq!(refusal(&answer), "409 conflict");
    let unlimited = world.gateway.key("viewer@example.com", None);
    let listed = world.gateway.cli(&["--json", "keys", "list"]);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    let limited = listed
        .iter()
        .filter(|key| key["project_paths"] == serde_json::json!(["acme/fraud"]));
    for key in limited {
        world
            .gateway
            .cli(&["keys", "revoke", key["id"].as_str().unwrap()]);
    }
    let answer = world.change("DELETE", PROJECT, &unlimited, "");
    assert_eq!(answer.status, 204, "{answer:?}");
    let body = r#"{"slug": "fraud", "name": "Fraud again"}"#;
    let answer = world.post("/tenants/acme/projects", &world.boss, body);
    assert_eq!(refusal(&answer), "409 conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_denies_or_releases_more_than_they_hold() {
    let world = World::start().await;
    let role = |name: &str, permissions: &[&str]| {
        let role = json!({"name": name, "scope": "tenant", "permissions": permissions});
        let answer = world.post("/tenants/acme/roles", &world.boss, &role.to_string());
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    let bind = |who: &str, role: &str| {
        let binding = json!({"principal": who, "role": role}).to_string();
        let answer = world.post("/tenants/acme/bindings", &world.boss, &binding);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    };
    let clerk = "viewer@example.com";
    role(
        "clerk",
        &["roles:read", "roles:manage", "members:*", "projects:read"],
    );
    role("reader", &["projects:read"]);
    role("chief", &["*:*"]);
    role("listener", &["audit:query"]);
    role("mute", &["projects:read", "deny audit:query"]);
    bind(clerk, "clerk");
    bind("boss@example.com", "reader");
    bind(clerk, "listener");
    let mute = bind(clerk, "mute");
    let events = "/tenants/acme/events";
    assert_eq!(world.get(events, &world.viewer).status, 403);
    let lines = |lines: &[&str]| json!({ "permissions": lines }).to_string();
    for (method, path, body) in [
        // Would shut out everybody who has it, the tenant's administrator too.
        (
            "PATCH",
            "roles/reader",
            lines(&["projects:read", "deny *:*"]),
        ),
        // Would give back what was taken.
        ("PATCH", "roles/mute", lines(&["projects:read"])),
        ("DELETE", &format!("bindings/{mute}"), String::new()),
        // Permits more than they hold.
        ("DELETE", "roles/chief", String::new()),
    ] {
        let path = format!("/tenants/acme/{path}");
        let answer = if path.contains("bindings") {
            world.send(method, &path, &world.viewer, &body, &[])
        } else {
            world.change(method, &path, &world.viewer, &body)
        };
        assert_eq!(refusal(&answer), "403 beyond_authority", "{method} {path}");
    }
    assert_eq!(world.get(events, &world.viewer).status, 403);
    // The twins: what they hold, and who holds all.
    let path = "/tenants/acme/roles/reader";
    let same = world.change("PATCH", path, &world.viewer, &lines(&["projects:read"]));
    assert_eq!(same.status, 200, "{same:?}");
    let path = "/tenants/acme/roles/mute";
    let lifted = world.change("PATCH", path, &world.boss, &lines(&["projects:read"]));
    assert_eq!(lifted.status, 200, "{lifted:?}");
    assert_eq!(world.get(events, &world.viewer).status, 200);
}
