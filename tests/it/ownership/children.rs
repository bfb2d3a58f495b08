//! Objects that belong to others, as the backend tells.

use super::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_its_parents_owners_and_asked_for_once_where_that_never_changes() {
    let house = House::open().await;
    let own = house.make(&house.keys.editor, "{}");
    let other = house.make(&house.keys.stranger, "{}");
    house.platform.put_run("r1", &own);
    let run = |key: &str| house.gateway.get("/runs/r1", key).status;
    assert_eq!(run(&house.keys.viewer), 200);
    assert_eq!(run(&house.keys.viewer), 200);
    assert_eq!(run(&house.keys.stranger), 404);
    // One question, and two requests that were let through.
    assert_eq!(house.platform.asked("GET /runs/r1"), 3);
    let job = |key: &str| house.gateway.get("/jobs/r1", key).status;
    assert_eq!(job(&house.keys.viewer), 200);
    house.platform.put_run("r1", &other);
    assert_eq!(job(&house.keys.viewer), 404, "it has moved");
    assert_eq!(job(&house.keys.stranger), 200);
    assert_eq!(house.platform.asked("GET /runs/r1"), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_backend_does_not_have_or_tell_is_not_let_through() {
    let house = House::open().await;
    assert_eq!(
        house.gateway.get("/runs/none", &house.keys.viewer).status,
        404
    );
    for (status, body) in [
        ("500 Internal Server Error", "{}"),
        ("403 Forbidden", "{}"),
        ("200 OK", "no JSON"),
        ("302 Found", ""),
    ] {
        house.platform.answer_all(Some((status, body)));
        let answer = house.gateway.get("/runs/r9", &house.keys.viewer);
        assert_eq!(answer.status, 503, "{status}");
        assert_eq!(answer.json()["code"], "owner_unavailable");
    }
    house.platform.answer_all(Some(("200 OK", r#"{"run":{}}"#)));
    assert_eq!(
        house.gateway.get("/runs/r9", &house.keys.viewer).status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_children_are_asked_for_at_once_and_every_one_is_checked() {
    let house = House::open().await;
    let own = house.make(&house.keys.editor, "{}");
    let other = house.make(&house.keys.stranger, "{}");
    for run in ["a", "b", "c"] {
        house.platform.put_run(run, &own);
    }
    house.platform.put_run("x", &other);
    let log = |runs: &str| {
        let body = format!(r#"{{"id":"{own}","runs":{runs}}}"#);
        house
            .gateway
            .request("POST", "/log", &house.keys.editor, &body)
            .status
    };
    assert_eq!(log(r#"["a","b","c"]"#), 200);
    assert_eq!(house.platform.asked("POST /runs/lookup"), 2, "two and one");
    assert_eq!(log(r#"["a","b","c"]"#), 200);
    assert_eq!(house.platform.asked("POST /runs/lookup"), 2, "known by now");
    assert_eq!(log(r#"["a","b","x"]"#), 404);
    assert_eq!(log(r#"["none","a"]"#), 404);
    assert_eq!(house.platform.asked("POST /log"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_named_after_its_parent_needs_no_question() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"model"}"#);
    let read = |version: &str, key: &str| {
        let target = format!("/versions/x/y?version={version}");
        house.gateway.get(&target, key).status
    };
    assert_eq!(read("model/3", &house.keys.viewer), 200);
    assert_eq!(read("model/3", &house.keys.stranger), 404);
    assert_eq!(read("model", &house.keys.viewer), 404);
    assert_eq!(read("model/other/3", &house.keys.viewer), 404);
}
