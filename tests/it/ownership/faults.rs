//! The database away, the gateway killed, the backend wrong.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::House;
use crate::support::gateway::until;

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_away_the_unknown_is_503_and_the_known_goes_on() {
    let mut house = House::open().await;
    let known = house.make(&house.keys.editor, "{}");
    let unknown = house.make(&house.keys.stranger, "{}");
    house.gateway.make_known(&house.keys.viewer);
    until("the owner to be known", || {
        house.read(&known, &house.keys.viewer).status == 200
    });
    let (gateway, keys) = (&mut house.gateway, &house.keys);
    gateway.postgres.stop();
    let get = |id: &str| gateway.get(&format!("/datasets/{id}"), &keys.viewer);
    assert_eq!(get(&known).status, 200);
    let refused = get("never-seen");
    assert_eq!(
        (refused.status, refused.json()["code"].clone()),
        (503, "truth_unavailable".into())
    );
    assert_ne!(get(&unknown).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_not_answered_and_told_as_an_orphan() {
    let house = House::open().await;
    house.make(&house.keys.editor, "{}");
    let mut lock = PgConnection::connect(&house.gateway.postgres.owner_url())
        .await
        .unwrap();
    let mut held = lock.begin().await.unwrap();
    held.execute("LOCK TABLE resources IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let refused = house.gateway.request(
        "POST",
        "/datasets",
        &house.keys.editor,
        r#"{"id":"orphan"}"#,
    );
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.json()["code"], "ownership_unrecorded");
    assert!(!refused.body.contains("orphan"));
    house.gateway.wait_for_audit();
    let events = house.gateway.events().await;
    let event = events.last().unwrap();
    assert_eq!(event["reason"], "ownership_unrecorded");
    assert_eq!(event["details"]["orphaned"][0]["id"], "orphan");
    held.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_backends_answer_and_the_record_it_leaves_an_orphan() {
    let mut house = House::open().await;
    house.make(&house.keys.editor, "{}");
    let mut lock = PgConnection::connect(&house.gateway.postgres.owner_url())
        .await
        .unwrap();
    let mut held = lock.begin().await.unwrap();
    held.execute("LOCK TABLE resources IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut client = house.gateway.connect();
    let body = r#"{"id":"orphan"}"#;
    client.send(format!(
        "POST /datasets HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        house.keys.editor,
        body.len()
    ));
    until("the backend to have made it", || {
        house.platform.asked("POST /datasets ") == 2
    });
    house.gateway.kill();
    assert!(client.answer().is_none(), "the client never heard of it");
    held.rollback().await.unwrap();
    house.gateway.launch();
    for key in [&house.keys.editor, &house.keys.admin, &house.keys.stranger] {
        assert_eq!(house.read("orphan", key).status, 404);
    }
}
