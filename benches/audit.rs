//! Measures the audit pipeline: the cost of a commit, and events a second into Postgres.
//!
//! `cargo bench --bench audit` (it starts a private PostgreSQL of its own).

use std::error::Error;
use std::time::Duration;

use portcullis::audit::{AuditWriter, Spool, SpoolOptions};
use portcullis::clock::Clock;
use portcullis::domain::{Actor, AuditEvent, AuditResult, EventId, ResourceRef, TenantId};
use portcullis::store::private_postgres::PrivatePostgres;
use portcullis::store::{Author, Db, migrate};
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

const EVENTS: u32 = 400_000;

fn event(number: u32, clock: &Clock) -> Result<AuditEvent, Box<dyn Error>> {
    Ok(AuditEvent {
        id: EventId(Uuid::now_v7()),
        occurred_at: clock.now(),
        event: "run.created".into(),
        result: AuditResult::Success,
        reason: None,
        tenant: Some((TenantId(Uuid::from_u128(1)), "acme".parse()?)),
        project: None,
        actor: Actor {
            kind: "user",
            id: Some(Uuid::from_u128(2).to_string()),
            email: Some("ann@acme.example".to_owned()),
        },
        credential_id: Some("0123456789ab".into()),
        ip: Some([127, 0, 0, 1].into()),
        user_agent: Some("mlflow-python-client/3.17.2".to_owned()),
        resource: Some(ResourceRef {
            kind: "run".into(),
            id: number.to_string(),
        }),
        method: Some("POST".to_owned()),
        route: Some("/api/2.0/mlflow/runs/create".into()),
        status: Some(200),
        latency: Some(1234),
        request_id: Some(Uuid::now_v7().to_string()),
        details: serde_json::Map::new(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let clock = Clock::system();
    let postgres = PrivatePostgres::start(dir.path()).await?;
    let mut author = Author::new(Actor::anonymous(), clock.clone(), StdRng::seed_from_u64(0));
    migrate(&postgres.owner_url().parse()?, &mut author, &[]).await?;
    let db = Db::open(&postgres.gateway_url().parse()?, 4);
    let spool = Spool::open(&dir.path().join("spool"), SpoolOptions::default())?;

    let mut event = event(0, &clock)?;
    let mut busy = Duration::ZERO;
    for _ in 0..EVENTS {
        event.id = EventId(Uuid::now_v7());
        let begin = clock.instant();
        spool.reserve()?.commit(&event)?;
        busy += clock.instant() - begin;
    }
    println!("commit: {:?} an event", busy / EVENTS);

    let begin = clock.instant();
    let writer = AuditWriter::spawn(spool, db);
    let stats = writer.drain(Duration::from_mins(2), &clock).await;
    let took = clock.instant() - begin;
    let rate = f64::from(EVENTS) / took.as_secs_f64();
    println!(
        "into PostgreSQL: {rate:.0} events/s, {} left",
        stats.depth_events
    );
    postgres.stop().await;
    Ok(())
}
