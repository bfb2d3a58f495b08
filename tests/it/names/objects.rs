//! Objects from before, moved ones, and callers with several projects.

use serde_json::json;

use super::House;

impl House {
    fn adopt(&self, kind: &str, id: &str, project: &str) {
        self.gateway
            .cli(&["resources", "adopt", "app", kind, id, "--project", project]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_keeps_its_name() {
    let house = House::open().await;
    let (editor, stranger) = (&house.keys.editor, &house.keys.stranger);
    house.heap.make_before("/models", "old");
    house.heap.make_before("/things", "old");
    for target in ["/models/get?name=old", "/things/by-name?name=old"] {
        assert_eq!(house.gateway.get(target, editor).status, 404);
    }
    house.adopt("model", "old", "acme/fraud");
    house.adopt("thing", "0", "acme/fraud");
    for target in ["/models/get?name=old", "/things/by-name?name=old"] {
        crate::support::gateway::until("the object to be adopted", || {
            house.gateway.get(target, editor).status == 200
        });
        assert!(house.gateway.get(target, editor).body.contains("\"old\""));
        assert_eq!(house.gateway.get(target, stranger).status, 404);
    }
    for filter in ["", "name = 'old'", "name LIKE 'o%'", "name IN ('old')"] {
        assert_eq!(house.listed(editor, filter), ["old"], "{filter}");
        assert_eq!(house.listed(stranger, filter), [""; 0], "{filter}");
    }
    // The project has the name already; others may have it too.
    assert_eq!(house.make(editor, "old").status, 409);
    assert_eq!(house.make(stranger, "old").status, 200);
    assert_eq!(
        house.heap.last(),
        json!({ "name": "globex.churn.old" }).to_string()
    );
    let renamed = house.post(
        "/models/rename",
        editor,
        &json!({ "name": "old", "new_name": "new" }),
    );
    assert_eq!(renamed.json()["model"]["name"], "new", "{renamed:?}");
    let sent = json!({ "name": "old", "new_name": "acme.fraud.new" });
    assert_eq!(house.heap.last(), sent.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_keeps_its_name_and_is_asked_for_by_all_of_it() {
    let house = House::open().await;
    let gateway = &house.gateway;
    let project = [
        "projects",
        "create",
        "acme/other",
        "--owner",
        "owner@example.com",
    ];
    gateway.cli(&project);
    let key = gateway.key("owner@example.com", Some("acme/other"));
    assert_eq!(house.make(&house.keys.editor, "foo").status, 200);
    assert_eq!(house.make(&key, "foo").status, 200);
    let object = "app/model/acme.fraud.foo";
    gateway.cli(&["resources", "move", object, "--to", "acme/other"]);
    crate::support::gateway::until("the model to be moved", || {
        house.listed(&key, "").len() == 2
    });
    assert_eq!(house.listed(&key, ""), ["acme.fraud.foo", "foo"]);
    let moved = gateway.get("/models/get?name=acme.fraud.foo", &key);
    assert_eq!(moved.json()["model"]["name"], "acme.fraud.foo");
    assert_eq!(
        gateway
            .get("/models/get?name=foo", &house.keys.editor)
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_several_projects_says_which_or_the_whole_name() {
    let house = House::open().await;
    let gateway = &house.gateway;
    for scope in ["acme/fraud", "globex/churn"] {
        let both = [
            "--scope",
            scope,
            "--principal",
            "owner@example.com",
            "--role",
            "editor",
        ];
        gateway.cli(&[&["members", "add"], &both[..]].concat());
    }
    let key = &gateway.key("owner@example.com", None);
    for name in ["foo", "bar"] {
        assert_eq!(house.make(&house.keys.editor, name).status, 200);
        let thing = json!({ "name": name });
        assert_eq!(
            house.post("/things", &house.keys.editor, &thing).status,
            200
        );
    }
    assert_eq!(house.make(&house.keys.stranger, "foo").status, 200);
    let thing = json!({ "name": "foo" });
    assert_eq!(
        house.post("/things", &house.keys.stranger, &thing).status,
        200
    );
    crate::support::gateway::until("the roles to be known", || house.listed(key, "").len() == 3);
    let whole = ["acme.fraud.foo", "acme.fraud.bar", "globex.churn.foo"];
    assert_eq!(house.listed(key, ""), whole);
    let get = |target: &str| gateway.get(target, key);
    for path in ["/models/get", "/things/by-name"] {
        assert_eq!(get(&format!("{path}?name=bar")).status, 200);
        assert_eq!(get(&format!("{path}?name=globex.churn.foo")).status, 200);
        assert_eq!(get(&format!("{path}?name=none")).status, 404);
        let several = get(&format!("{path}?name=foo"));
        assert!(several.body.contains("X-Portcullis-Project"), "{several:?}");
        assert!((400..500).contains(&several.status), "{several:?}");
        let named = gateway.raw(format!(
            "GET {path}?name=foo HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n\
             X-Portcullis-Project: globex/churn\r\n\r\n"
        ));
        let named = named.unwrap();
        assert_eq!(named.status, 200, "{named:?}");
        assert!(named.body.contains("\"foo\""), "{named:?}");
    }
}
