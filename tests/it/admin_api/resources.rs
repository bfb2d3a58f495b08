//! Records of a backend's objects, changed through the API: what is said there is what the data
//! plane goes by.

use serde_json::json;

use super::{PROJECT, World, refusal};

const MOVED: &str = r#"{"project": "risk"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_labelled_and_conditions_go_by_it() {
    let world = World::with_things().await;
    let record = world.record_of("7");
    let viewer = world.get("/me", &world.viewer).json()["id"].clone();
    let member = format!("{PROJECT}/members/{}", viewer.as_str().unwrap());
    let role = r#"{"role": "data_scientist"}"#;
    let made = world.change("PATCH", &member, &world.owner, role);
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(world.backend("POST", "7", &world.viewer), 200);
    let seen = world.etag(&record);
    let production = r#"{"labels": {"environment": "production", "team": "blue"}}"#;
    let labelled = world.change("PATCH", &record, &world.owner, production);
    let labels = json!({"environment": "production", "team": "blue"});
    assert_eq!(labelled.json()["labels"], labels, "{labelled:?}");
    assert_eq!(labelled.header("ETag"), [world.etag(&record)]);
    let shown = world.get(&record, &world.auditor).json();
    assert_eq!(
        (&shown["labels"], &shown["external_id"]),
        (&labels, &json!("7"))
    );
    // In force at once: they read in production, and write beside it.
    assert_eq!(world.backend("POST", "7", &world.viewer), 403);
    assert_eq!(world.backend("GET", "7", &world.viewer), 200);
    assert_eq!(world.backend("POST", "8", &world.viewer), 200);
    let late = [("If-Match", seen.as_str())];
    let late = world.send("PATCH", &record, &world.owner, r#"{"labels": {}}"#, &late);
    assert_eq!(refusal(&late), "412 precondition_failed");
    for bad in [
        r#"{"a-b": "x"}"#,
        r#"{"": "x"}"#,
        r#"{"a": ""}"#,
        r#"{"a": 1}"#,
    ] {
        let body = format!(r#"{{"labels": {bad}}}"#);
        let answer = world.change("PATCH", &record, &world.owner, &body);
        assert_eq!(refusal(&answer), "422 invalid", "{bad}");
    }
    let many: Vec<_> = (0..21).map(|at| format!(r#""l{at}": "x""#)).collect();
    let body = format!(r#"{{"labels": {{{}}}}}"#, many.join(","));
    let answer = world.change("PATCH", &record, &world.owner, &body);
    assert_eq!(refusal(&answer), "422 invalid");
    let answer = world.change("PATCH", &record, &world.owner, r#"{"labels": {}}"#);
    assert_eq!(answer.json()["labels"], json!({}), "{answer:?}");
    assert_eq!(world.backend("POST", "7", &world.viewer), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_moved_and_what_was_bound_on_it_ends() {
    let world = World::with_things().await;
    let risk = r#"{"slug": "risk", "name": "Risk", "members": [{"principal": "auditor@example.com", "role": "viewer"}]}"#;
    let made = world.post("/tenants/acme/projects", &world.boss, risk);
    assert_eq!(made.status, 201, "{made:?}");
    let record = world.record_of("7");
    let id = record.rsplit('/').next().unwrap();
    let grant = json!({"principal": "viewer@example.com", "role": "editor", "project": "fraud", "resource": id});
    let bound = world.post("/tenants/acme/bindings", &world.boss, &grant.to_string());
    assert_eq!(bound.status, 201, "{bound:?}");
    assert_eq!(world.backend("POST", "7", &world.viewer), 200);
    let to = format!("{record}/project");
    // Who holds nothing in the other project, and what is not there: one answer.
    let closed = world.change("PUT", &to, &world.owner, MOVED);
    let nowhere = world.change("PUT", &to, &world.owner, r#"{"project": "none"}"#);
    assert_eq!(refusal(&closed), "422 project_unknown");
    assert_eq!(refusal(&nowhere), "422 project_unknown");
    let foreign = world.change("PUT", &to, &world.boss, r#"{"project": "churn"}"#);
    assert_eq!(refusal(&foreign), "422 project_unknown");
    let moved = world.change("PUT", &to, &world.boss, MOVED);
    assert_eq!(moved.status, 200, "{moved:?}");
    assert_eq!(world.get(&record, &world.owner).status, 404);
    let there = record.replace("/fraud/", "/risk/");
    assert_eq!(world.get(&there, &world.boss).json()["external_id"], "7");
    // Its binding did not follow, nor did the former project's members.
    for key in [&world.viewer, &world.editor, &world.owner] {
        assert_eq!(world.backend("GET", "7", key), 404);
    }
    assert_eq!(world.backend("GET", "7", &world.boss), 200);
    let bindings = world.get("/tenants/acme/bindings", &world.boss).body;
    assert!(!bindings.contains(id), "{bindings}");
    let event = event_of(&world, "resource.moved").await;
    assert_eq!(
        (&event["result"], &event["details"]["unbound"]),
        (&json!("success"), &json!(1))
    );
    assert_eq!(event["details"]["to_project"], "risk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_resource_is_nobodys_until_it_is_adopted() {
    let world = World::with_things().await;
    let record = world.record_of("7");
    let answer = world.change("DELETE", &record, &world.owner, "");
    assert_eq!(answer.status, 204, "{answer:?}");
    for key in [&world.owner, &world.boss, &world.admin] {
        assert_eq!(world.backend("GET", "7", key), 404);
    }
    assert_eq!(world.backend("GET", "8", &world.owner), 200);
    let again = world.send("DELETE", &record, &world.owner, "", &[("If-Match", "*")]);
    assert_eq!(refusal(&again), "404 not_found");
    let event = event_of(&world, "resource.released").await;
    assert_eq!(event["details"]["external_id"], "7");
    let adopt = [
        "resources",
        "adopt",
        "app",
        "thing",
        "7",
        "--project",
        "globex/churn",
    ];
    world.gateway.cli(&adopt);
    crate::support::gateway::until("the news of it", || {
        world.backend("GET", "7", &world.rival) == 200
    });
    assert_eq!(world.backend("GET", "7", &world.owner), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_owns_resources_stays() {
    let world = World::with_things().await;
    let owner = world.gateway.key("owner@example.com", None);
    let answer = world.change("DELETE", PROJECT, &owner, "");
    assert_eq!(refusal(&answer), "409 conflict");
    assert!(answer.body.contains("owns resources"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_listed_by_type_in_pages() {
    let world = World::with_things().await;
    let list = |query: &str| {
        let answer = world.get(&format!("{PROJECT}/resources{query}"), &world.viewer);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    assert_eq!(list("")["items"].as_array().unwrap().len(), 2);
    assert_eq!(list("?type=other")["items"], json!([]));
    let first = list("?type=thing&limit=1");
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&format!("?type=thing&limit=1&cursor={cursor}"));
    assert_eq!(second["next_cursor"], json!(null));
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
}

/// The one event of this name that a change left.
async fn event_of(world: &World, name: &str) -> serde_json::Value {
    world.gateway.wait_for_audit();
    let events = world.gateway.events().await;
    let mut found = events
        .into_iter()
        .filter(|it| it["event"] == name && it["result"] == "success");
    let event = found.next().unwrap();
    assert_eq!(found.next(), None);
    event
}
