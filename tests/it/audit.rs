//! The audit trail: exactly once, whatever happens on the way.

mod faults;
mod full;
mod hostile_text;
mod kill;
mod recovery;
mod succession;

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use portcullis::audit::{AuditStats, AuditWriter, Spool, SpoolOptions};
use portcullis::clock::Clock;
use portcullis::domain::{Actor, AuditEvent, AuditResult, EventId};
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection};

use crate::support::postgres::TestPostgres;

const LONG: Duration = Duration::from_mins(1);

fn options() -> SpoolOptions {
    SpoolOptions {
        shards: 2,
        ..SpoolOptions::default()
    }
}

fn open(dir: &Path) -> Spool {
    Spool::open(dir, options()).unwrap()
}

fn at() -> DateTime<Utc> {
    "2026-03-04T05:06:07Z".parse().unwrap()
}

fn event(number: u128) -> AuditEvent {
    AuditEvent {
        id: EventId(Uuid::from_u128(number)),
        occurred_at: at(),
        event: "run.created".into(),
        result: AuditResult::Success,
        reason: None,
        tenant: None,
        project: None,
        actor: Actor::anonymous(),
        credential_id: None,
        ip: None,
        user_agent: None,
        resource: None,
        method: Some("POST".to_owned()),
        route: None,
        status: Some(200),
        latency: Some(1),
        request_id: None,
        details: serde_json::Map::new(),
    }
}

fn commit(spool: &Spool, numbers: impl IntoIterator<Item = u128>) {
    for number in numbers {
        spool.reserve().unwrap().commit(&event(number)).unwrap();
    }
}

async fn drain(spool: &Spool, postgres: &TestPostgres) -> AuditStats {
    let writer = AuditWriter::spawn(spool.clone(), postgres.db());
    writer.drain(LONG, &Clock::system()).await
}

/// The ids in the table, in order; an id that is there twice is listed twice.
async fn ids(postgres: &TestPostgres) -> Vec<u128> {
    let mut owner = postgres.owner().await;
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM audit_events ORDER BY id")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    owner.close().await.unwrap();
    ids.iter().map(Uuid::as_u128).collect()
}

async fn one<T>(connection: &mut PgConnection, sql: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn events_of_all_threads_arrive_once_and_leave_no_file() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let writer = AuditWriter::spawn(spool.clone(), postgres.db());
    std::thread::scope(|scope| {
        for first in [0, 10_000, 20_000, 30_000] {
            let spool = &spool;
            scope.spawn(move || commit(spool, first..first + 5_000));
        }
    });
    let stats = writer.drain(LONG, &Clock::system()).await;
    assert_eq!((stats.depth_events, stats.depth_bytes), (0, 0));
    assert_eq!(stats.sent, 20_000);
    let want: Vec<u128> = (0..40_000).filter(|n| n % 10_000 < 5_000).collect();
    assert_eq!(ids(&postgres).await, want);
    drop(spool);
    // Whatever is left was never written to, and the next start sends nothing again.
    let again = open(dir.path());
    assert_eq!(again.stats(&Clock::system()).depth_events, 0);
}
