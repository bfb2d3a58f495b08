//! However a name is spelt, the backend gets it with the caller's own prefix.

use serde_json::json;

use super::House;

#[tokio::test(flavor = "multi_thread")]
async fn every_name_that_is_made_begins_with_the_projects_own_prefix() {
    let house = House::open().await;
    let key = &house.keys.stranger;
    for name in [
        "foo",
        "FOO",
        "acme.fraud.foo",
        "ACME.FRAUD.foo",
        "globex.churn.",
        ".foo",
        "\u{301}foo",
        "f\u{f6}o",
        "fo\u{308}o",
        "\u{202e}foo",
        "a'b\"c\\d",
        "%",
        "globex.churnx.foo",
    ] {
        let made = house.make(key, name);
        assert_eq!(made.status, 200, "{name}: {made:?}");
        let sent: serde_json::Value = serde_json::from_str(&house.heap.last()).unwrap();
        assert_eq!(sent["name"], format!("globex.churn.{name}"));
        assert_eq!(made.json()["model"]["name"], name);
    }
    // One that was shown whole is the project's own already.
    let own = house.make(key, "globex.churn.bar");
    assert_eq!(own.json()["model"]["name"], "bar");
    assert_eq!(
        house.heap.last(),
        json!({ "name": "globex.churn.bar" }).to_string()
    );
    let number = house.make(key, "7");
    assert_eq!(number.json()["model"]["name"], "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_name_is_refused() {
    let house = House::open().await;
    let key = &house.keys.stranger;
    let asked = house.heap.asked();
    let long = "x".repeat(505);
    let mut bodies: Vec<String> = [
        json!({ "name": true }),
        json!({ "name": ["foo"] }),
        json!({ "name": { "a": 1 } }),
        json!({ "name": 1.5 }),
        json!({ "name": "foo " }),
        json!({ "name": " foo" }),
        json!({ "name": "a\u{0}b" }),
        json!({ "name": "a\nb" }),
        json!({ "name": long }),
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    bodies.push(r#"{"name":"foo","Name":"bar"}"#.to_owned());
    bodies.push(r#"{"name":"foo","name":"bar"}"#.to_owned());
    for body in bodies {
        let refused = house.gateway.request("POST", "/models", key, &body);
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
    }
    for body in [json!({ "name": true }), json!({ "name": "a\nb" })] {
        assert_eq!(house.post("/things", key, &body).status, 400, "{body}");
    }
    assert_eq!(house.heap.asked(), asked);
    let just = house.make(key, &"x".repeat(499));
    assert_eq!(just.status, 200, "{just:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_query_and_body_and_in_a_form_is_written_everywhere() {
    let house = House::open().await;
    let key = &house.keys.editor;
    for name in ["one", "two"] {
        assert_eq!(house.make(key, name).status, 200);
    }
    let body = json!({ "name": "one", "source": "models:/two/3" });
    let answer = house.post("/models/source?name=one", key, &body);
    assert_eq!(answer.json()["model"], body, "{answer:?}");
    let sent = json!({ "name": "acme.fraud.one", "source": "models:/acme.fraud.two/3" });
    assert_eq!(house.heap.last(), sent.to_string());
    let received = house.heap.upstream.received();
    assert!(
        received
            .last()
            .unwrap()
            .line()
            .contains("?name=acme.fraud.one ")
    );
    let other = house.post("/models/source?name=two", key, &body);
    assert_eq!(other.status, 400, "{other:?}");
    // What was shown whole somewhere works as well.
    let whole = json!({ "name": "acme.fraud.one", "source": "models:/acme.fraud.two/3" });
    assert_eq!(
        house.post("/models/source", key, &whole).json()["model"],
        body
    );
}
