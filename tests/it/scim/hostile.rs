//! What no directory sends.

use serde_json::{Value, json};

use super::Bench;
use crate::support::gateway::until;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_let_at_a_directory() {
    let bench = Bench::start().await;
    let globex = super::directory_of(&bench.gateway, "globex");
    until("the keys are known", || {
        let path = "globex/Users";
        bench.ask("GET", "Users", &Value::Null).0 == 200
            && bench.send(&globex, "GET", path, "").status == 200
    });
    let ann = bench.user("ann@acme.example");
    let group = bench.group("scientists", &[&ann]);
    for path in [
        "Users".to_owned(),
        format!("Users/{ann}"),
        format!("Groups/{group}"),
        "Schemas".to_owned(),
    ] {
        // To another tenant it is as one that there is not; to its own members it is closed.
        let (status, told) = bench.ask_as(&globex, "GET", &path, &Value::Null);
        let nowhere = bench.send(&globex, "GET", &format!("nowhere/{path}"), "");
        let nowhere: Value = serde_json::from_str(&nowhere.body).unwrap();
        assert!([403, 404].contains(&status), "{path}: {told}");
        assert_eq!(told["code"], nowhere["code"], "{path}");
        let (status, _) = bench.ask_as(&bench.keys.editor, "GET", &path, &Value::Null);
        assert!([403, 404].contains(&status), "{path}: {status}");
        let (status, _) = bench.ask_as("pcl_live_nonsense", "GET", &path, &Value::Null);
        assert_eq!(status, 401, "{path}");
    }
    // By its own path what is another's is not there either.
    for (method, path) in [
        ("GET", format!("globex/Users/{ann}")),
        ("DELETE", format!("globex/Users/{ann}")),
        ("GET", format!("globex/Groups/{group}")),
    ] {
        let answer = bench.send(&globex, method, &path, "");
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), ["application/scim+json"]);
    }
    let foreign = json!({ "displayName": "x", "members": [{ "value": ann }] }).to_string();
    assert_eq!(
        bench
            .send(&globex, "POST", "globex/Groups", &foreign)
            .status,
        400
    );
    let listed = bench.send(&globex, "GET", "globex/Users", "");
    let listed: Value = serde_json::from_str(&listed.body).unwrap();
    assert_eq!(listed["totalResults"], 0);
    // The address is somebody's of the other tenant: it is not told, and nothing is taken over.
    let same = json!({ "userName": "ann@acme.example" }).to_string();
    let made = bench.send(&globex, "POST", "globex/Users", &same);
    assert_eq!(made.status, 201);
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let path = format!("globex/Users/{}", made["id"].as_str().unwrap());
    let renamed = json!({ "userName": "other@acme.example" }).to_string();
    assert_eq!(bench.send(&globex, "PUT", &path, &renamed).status, 200);
    assert_eq!(bench.send(&globex, "DELETE", &path, "").status, 204);
    assert_eq!(
        bench.ask("GET", &format!("Users/{ann}"), &Value::Null).0,
        200
    );
    let users = bench.gateway.cli(&["--json", "users", "list"]);
    let users: Value = serde_json::from_str(&users).unwrap();
    let own = users.as_array().unwrap().iter();
    let own: Vec<_> = own
        .filter(|user| user["email"] == "ann@acme.example")
        .collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["disabled"], false);
}

async fn start() -> Bench {
    let bench = Bench::start().await;
    until("the key is known", || {
        bench.ask("GET", "Users", &Value::Null).0 == 200
    });
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_refused_and_told_why() {
    let bench = start().await;
    bench.user("bob@acme.example");
    let long = "x".repeat(300);
    for (sent, kind) in [
        (json!({}), "invalidValue"),
        (json!({ "userName": "" }), "invalidValue"),
        (json!({ "userName": 5 }), "invalidValue"),
        (json!({ "userName": ["a"] }), "invalidValue"),
        (json!({ "userName": long }), "invalidValue"),
        (json!({ "userName": "a\u{0}b" }), "invalidValue"),
        (
            json!({ "userName": "a", "active": "perhaps" }),
            "invalidValue",
        ),
        (
            json!({ "userName": "a", "emails": ["a@b.example"] }),
            "invalidValue",
        ),
        (
            json!({ "userName": "a", "emails": [{ "value": "a@b.example", "primary": true },
            { "value": "c@d.example", "primary": true }] }),
            "invalidValue",
        ),
        (json!({ "userName": "a", "USERNAME": "b" }), "invalidSyntax"),
        (json!({ "userName": "BOB@acme.example" }), "uniqueness"),
        (
            json!({ "userName": "c", "emails": [{ "value": "bob@acme.example" }] }),
            "uniqueness",
        ),
    ] {
        let (status, told) = bench.ask("POST", "Users", &sent);
        assert!([400, 409].contains(&status), "{sent}: {told}");
        assert_eq!(told["scimType"], kind, "{sent}: {told}");
        assert_eq!(told["status"], status.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_made_is_not_begun() {
    let bench = start().await;
    let ann = bench.user("ann@acme.example");
    bench.user("bob@acme.example");
    let user = format!("Users/{ann}");
    for (operations, kind) in [
        (json!([]), "invalidSyntax"),
        (json!(["x"]), "invalidSyntax"),
        (json!([{ "op": "move" }]), "invalidSyntax"),
        (json!([{ "op": "remove" }]), "noTarget"),
        (json!([{ "op": "add", "path": "active" }]), "invalidValue"),
        (
            json!([{ "op": "add", "path": "nonsense", "value": "x" }]),
            "invalidPath",
        ),
        (
            json!([{ "op": "add", "path": "emails[", "value": "x" }]),
            "invalidPath",
        ),
        (
            json!([{ "op": "add", "path": "emails[type eq]", "value": "x" }]),
            "invalidFilter",
        ),
        (
            json!([{ "op": "add", "path": "name.nonsense", "value": "x" }]),
            "invalidPath",
        ),
        (
            json!([{ "op": "add", "path": "userName.x.y", "value": "x" }]),
            "invalidPath",
        ),
        (
            json!([{ "op": "replace", "path": "groups", "value": [{ "value": "x" }] }]),
            "mutability",
        ),
        (
            json!([{ "op": "remove", "path": "userName" }]),
            "invalidValue",
        ),
        (
            json!([{ "op": "replace", "path": "userName", "value": "bob@acme.example" }]),
            "uniqueness",
        ),
    ] {
        let (status, told) = bench.patch(&user, &operations);
        assert!([400, 409].contains(&status), "{operations}: {told}");
        assert_eq!(told["scimType"], kind, "{operations}: {told}");
    }
    // Nothing of a change that was refused is kept.
    let half = json!([{ "op": "replace", "path": "displayName", "value": "Half" },
        { "op": "remove", "path": "userName" }]);
    assert_eq!(bench.patch(&user, &half).0, 400);
    assert_eq!(
        bench.ask("GET", &user, &Value::Null).1["displayName"],
        Value::Null
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused() {
    let bench = start().await;
    bench.user("ann@acme.example");
    for body in ["", "x", "[]", "null", "{\"userName\":", &"[".repeat(5000)] {
        let answer = bench.send(&bench.token, "POST", "acme/Users", body);
        assert!(
            [400, 415].contains(&answer.status),
            "{body:.20}: {answer:?}"
        );
    }
    let deep = format!("{{\"userName\":{}1{}}}", "[".repeat(2000), "]".repeat(2000));
    assert_eq!(
        bench.send(&bench.token, "POST", "acme/Users", &deep).status,
        400
    );
    let huge = json!({ "userName": "x".repeat(2 << 20) }).to_string();
    assert_eq!(
        bench.send(&bench.token, "POST", "acme/Users", &huge).status,
        413
    );
    for (filter, is_known) in [
        ("userName%20eq%20%22ann%40acme.example%22", true),
        ("userName%20eq", false),
        ("%28%28%28", false),
        ("userName%20eq%20%22%27%20or%201%3D1%20--%22", true),
    ] {
        let (status, told) = bench.ask("GET", &format!("Users?filter={filter}"), &Value::Null);
        assert_eq!(status == 200, is_known, "{filter}: {told}");
        if !is_known {
            assert_eq!(told["scimType"], "invalidFilter", "{told}");
        }
    }
    for path in [
        "Users/nonsense",
        "Users/00000000-0000-0000-0000-000000000000",
        "Schemas/x",
    ] {
        assert_eq!(bench.ask("GET", path, &Value::Null).0, 404, "{path}");
    }
    assert_eq!(bench.ask("GET", "Users?count=x", &Value::Null).0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_a_directory_has_none() {
    let bench = Bench::start().await;
    bench.gateway.cli(&["tenants", "create", "initech"]);
    let token = super::directory_of(&bench.gateway, "initech");
    until("the key is known", || {
        bench.send(&token, "GET", "initech/Users", "").status == 404
    });
}
