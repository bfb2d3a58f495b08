//! The audit trail cannot be changed, whoever tries.

use sqlx::PgConnection;

use crate::support::store::{TestStore, refusal, run};

const EVENT: &str = "INSERT INTO audit_events (id, occurred_at, event, result, actor_type)
    VALUES (gen_random_uuid(), '2026-01-31T12:00:00Z', 'run.created', 'success', 'anonymous')";

const CHANGES: [&str; 6] = [
    "UPDATE audit_events SET event = 'nothing'",
    "DELETE FROM audit_events",
    "TRUNCATE audit_events",
    "UPDATE audit_events_2026_01 SET event = 'nothing'",
    "DELETE FROM audit_events_2026_01",
    "TRUNCATE audit_events_2026_01",
];

async fn with_event() -> (TestStore, PgConnection) {
    let store = TestStore::start().await;
    let mut gateway = store.as_gateway().await;
    assert_eq!(run(&mut gateway, EVENT).await.unwrap(), 1);
    (store, gateway)
}

async fn events(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE event = 'run.created'")
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_gateway_has_no_right_to_change_or_remove_events() {
    let (_store, mut gateway) = with_event().await;
    for change in CHANGES {
        let answer = refusal(&mut gateway, change).await;
        assert!(answer.contains("permission denied"), "{change}: {answer}");
    }
    assert_eq!(events(&mut gateway).await, 1);
}

#[tokio::test]
async fn the_owner_is_refused_by_a_trigger_even_where_nothing_would_change() {
    let (store, mut gateway) = with_event().await;
    let mut owner = store.as_owner().await;
    for change in CHANGES {
        let answer = refusal(&mut owner, change).await;
        assert!(answer.contains("append-only"), "{change}: {answer}");
    }
    let nothing = "DELETE FROM audit_events WHERE false";
    assert!(refusal(&mut owner, nothing).await.contains("append-only"));
    assert_eq!(events(&mut gateway).await, 1);
}

#[tokio::test]
async fn the_gateway_cannot_take_the_protection_away() {
    let (_store, mut gateway) = with_event().await;
    for attack in [
        "ALTER TABLE audit_events DISABLE TRIGGER audit_append_only",
        "ALTER TABLE audit_events_2026_01 DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_append_only ON audit_events",
        "DROP TABLE audit_events_2026_01",
        "DROP TABLE audit_events CASCADE",
        "ALTER TABLE audit_events DETACH PARTITION audit_events_2026_01",
        "CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger
            LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SELECT audit_make_append_only('audit_events')",
        "SET session_replication_role = replica",
        "SET ROLE portcullis_owner",
        "GRANT DELETE ON audit_events TO portcullis_gateway WITH GRANT OPTION; DELETE FROM audit_events",
        "INSERT INTO audit_events SELECT * FROM audit_events
            ON CONFLICT (occurred_at, id) DO UPDATE SET event = 'nothing'",
        "MERGE INTO audit_events a USING audit_events b ON a.id = b.id
            WHEN MATCHED THEN DELETE",
    ] {
        refusal(&mut gateway, attack).await;
    }
    assert_eq!(events(&mut gateway).await, 1);
}

#[tokio::test]
async fn a_session_that_plays_replica_is_refused_too() {
    let (store, mut gateway) = with_event().await;
    let superuser = store.postgres.owner_url();
    let superuser = superuser.replace("user=portcullis_owner", "user=postgres");
    let mut superuser = <PgConnection as sqlx::Connection>::connect(&superuser)
        .await
        .unwrap();
    run(&mut superuser, "SET session_replication_role = replica")
        .await
        .unwrap();
    for change in CHANGES {
        let answer = refusal(&mut superuser, change).await;
        assert!(answer.contains("append-only"), "{change}: {answer}");
    }
    assert_eq!(events(&mut gateway).await, 1);
}

#[tokio::test]
async fn the_same_event_twice_is_one_row() {
    let (_store, mut gateway) = with_event().await;
    let again = "INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT DO NOTHING";
    assert_eq!(run(&mut gateway, again).await.unwrap(), 0);
    assert_eq!(events(&mut gateway).await, 1);
}

#[tokio::test]
async fn a_month_gets_its_partition_once_and_as_protected_as_the_first() {
    let (store, mut gateway) = with_event().await;
    let ensure = "SELECT audit_ensure_partition('2027-12-31T23:59:59.999999Z');
        SELECT audit_ensure_partition('2027-12-01T00:00:00Z')";
    let mut other = store.as_gateway().await;
    let (one, two) = tokio::join!(run(&mut gateway, ensure), run(&mut other, ensure));
    one.unwrap();
    two.unwrap();
    let event = "INSERT INTO audit_events (id, occurred_at, event, result, actor_type)
        VALUES (gen_random_uuid(), '2027-12-31T23:59:59.999999Z', 'run.created', 'success', 'anonymous')";
    run(&mut gateway, event).await.unwrap();
    let mut owner = store.as_owner().await;
    let delete = "DELETE FROM audit_events_2027_12";
    assert!(refusal(&mut owner, delete).await.contains("append-only"));
    assert_eq!(events(&mut gateway).await, 2);
}

#[tokio::test]
async fn only_the_owner_can_drop_a_month() {
    let (store, mut gateway) = with_event().await;
    let drop = "DROP TABLE audit_events_2026_01";
    let answer = refusal(&mut gateway, drop).await;
    assert!(answer.contains("must be owner"), "{answer}");
    run(&mut store.as_owner().await, drop).await.unwrap();
    assert_eq!(events(&mut gateway).await, 0);
}
