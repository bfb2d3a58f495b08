//! What is made is on record before its maker hears of it, and what is gone is forgotten.

use super::{House, yaml};
use crate::support::gateway::until;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_belongs_to_the_project_that_made_it() {
    let house = House::open().await;
    let id = house.make(
        &house.keys.editor,
        r#"{"name":"x","environment":"production"}"#,
    );
    assert_eq!(house.read(&id, &house.keys.viewer).status, 200);
    let refused = house.read(&id, &house.keys.stranger);
    let unknown = house.read("ds-99999", &house.keys.stranger);
    assert_eq!((refused.status, unknown.status), (404, 404));
    let told = |answer: &crate::support::raw::Answer| {
        let body = answer.json();
        (body["code"].clone(), body["detail"].clone())
    };
    assert_eq!(told(&refused), told(&unknown), "one answer for both");
    assert_eq!(house.platform.asked("GET /datasets/"), 1);
    house.gateway.wait_for_audit();
    let events = house.gateway.events().await;
    let made = events
        .iter()
        .find(|it| it["route"] == "POST /datasets")
        .unwrap();
    assert_eq!(made["details"]["created"][0]["id"], id.as_str());
    assert_eq!(made["project"], "fraud");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_was_asked_about_is_nobodys() {
    let house = House::open().await;
    let id = house.make(&house.keys.editor, "{}");
    for target in ["/datasets/a", "/datasets/ds-00002"] {
        assert_eq!(house.gateway.get(target, &house.keys.admin).status, 404);
    }
    assert_eq!(
        house.read(&id, &house.keys.admin).status,
        200,
        "everybody's admin"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_is_forgotten_and_its_name_free() {
    let house = House::open().await;
    let id = house.make(&house.keys.owner, r#"{"id":"mine"}"#);
    let delete = |key: &str| {
        house
            .gateway
            .request("DELETE", "/datasets/mine", key, "")
            .status
    };
    assert_eq!(delete(&house.keys.stranger), 404);
    assert_eq!(house.read(&id, &house.keys.owner).status, 200);
    assert_eq!(delete(&house.keys.owner), 200);
    assert_eq!(house.read(&id, &house.keys.owner).status, 404);
    let again = house.make(&house.keys.stranger, r#"{"id":"mine"}"#);
    assert_eq!(house.read(&again, &house.keys.stranger).status, 200);
    assert_eq!(house.read(&again, &house.keys.owner).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_object_keeps_its_owner() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"old"}"#);
    let rename = r#"{"id":"old","new_id":"new"}"#;
    let answer = house
        .gateway
        .request("POST", "/datasets/rename", &house.keys.stranger, rename);
    assert_eq!(answer.status, 404);
    let answer = house
        .gateway
        .request("POST", "/datasets/rename", &house.keys.editor, rename);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(house.read("new", &house.keys.viewer).status, 200);
    assert_eq!(house.read("old", &house.keys.viewer).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_race_for_one_name_one_gets_it_and_the_other_hears_nothing() {
    let house = House::open().await;
    let make = |key: String| {
        let public = house.gateway.public();
        std::thread::spawn(move || {
            let mut connection = crate::support::raw::Connection::open(public);
            let body = r#"{"id":"same"}"#;
            connection.send(format!(
                "POST /datasets HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
            connection.answer().unwrap()
        })
    };
    let racers = [&house.keys.editor, &house.keys.stranger].map(|key| make(key.clone()));
    let answers = racers.map(|racer| racer.join().unwrap());
    let mut statuses = answers.each_ref().map(|answer| answer.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{answers:?}");
    let lost = answers.iter().find(|answer| answer.status == 409).unwrap();
    assert!(!lost.body.contains("same"), "{lost:?}");
    let seen = [&house.keys.editor, &house.keys.stranger];
    let mut seen = seen.map(|key| house.read("same", key).status);
    seen.sort_unstable();
    assert_eq!(seen, [200, 404]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_gateway_hears_of_it() {
    let house = House::open().await;
    let mut other = house.gateway.replica(&yaml(&house.platform));
    other.launch();
    let read = || other.get("/datasets/mine", &house.keys.viewer).status;
    assert_eq!(read(), 404, "and it is held that it is nobody's");
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    until("the other gateway to see it", || read() == 200);
    let gone = house
        .gateway
        .request("DELETE", "/datasets/mine", &house.keys.owner, "");
    assert_eq!(gone.status, 200);
    until("the other gateway to forget it", || read() == 404);
}
