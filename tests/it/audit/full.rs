//! A full spool, and a spool that somebody else uses.

use std::path::Path;
use std::time::Duration;

use portcullis::audit::{AuditWriter, Slot, Spool, SpoolError, SpoolFull, SpoolOptions};
use portcullis::clock::Clock;
use portcullis::domain::WhenFull;

use super::{LONG, event, ids};
use crate::support::postgres::TestPostgres;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(2);

pub fn small(dir: &Path, when_full: WhenFull) -> Spool {
    let options = SpoolOptions {
        max_bytes: 256 << 10,
        shards: 2,
        when_full,
        ..SpoolOptions::default()
    };
    Spool::open(dir, options).unwrap()
}

/// Commits as the spool has room.
pub async fn commit_patiently(spool: &Spool, numbers: std::ops::Range<u128>) {
    for number in numbers {
        let slot = loop {
            match spool.reserve() {
                Ok(slot) => break slot,
                Err(SpoolFull) => tokio::time::sleep(POLL).await,
            }
        };
        slot.commit(&event(number)).unwrap();
    }
}

/// Waits until Postgres has all that was committed.
pub async fn sent(spool: &Spool) {
    while spool.stats(&Clock::system()).depth_events > 0 {
        tokio::time::sleep(POLL).await;
    }
}

/// Bytes of the files of all generations.
pub fn used(dir: &Path) -> u64 {
    let there = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap());
    there
        .map(|file| match file.metadata().unwrap() {
            meta if meta.is_dir() => used(&file.path()),
            meta => meta.len(),
        })
        .sum()
}

#[tokio::test]
async fn a_full_spool_refuses_keeps_its_promises_and_recovers() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = small(dir.path(), WhenFull::Refuse);
    let slots: Vec<Slot> = std::iter::from_fn(|| spool.reserve().ok()).collect();
    assert!(slots.len() >= 16, "{}", slots.len());
    assert_eq!(spool.reserve().unwrap_err(), SpoolFull);
    assert!(used(dir.path()) <= 256 << 10);
    let promised = slots.len() as u128;
    let mut largest = event(0);
    largest.details = [("k".to_owned(), "x".repeat(2000).into())]
        .into_iter()
        .collect();
    for (number, slot) in (0..).zip(slots) {
        largest.id = event(number).id;
        slot.commit(&largest).unwrap();
    }
    let mut committed = promised;
    while let Ok(slot) = spool.reserve() {
        slot.commit(&event(committed)).unwrap();
        committed += 1;
    }
    let stats = spool.stats(&Clock::system());
    assert_eq!(
        (u128::from(stats.depth_events), stats.refused),
        (committed, 3)
    );
    let writer = AuditWriter::spawn(spool.clone(), postgres.db());
    commit_patiently(&spool, committed..committed + 1000).await;
    writer.drain(LONG, &Clock::system()).await;
    assert_eq!(
        ids(&postgres).await,
        (0..committed + 1000).collect::<Vec<_>>()
    );
}

#[test]
fn a_slot_that_is_not_used_gives_its_room_back() {
    let dir = tempfile::tempdir().unwrap();
    let spool = small(dir.path(), WhenFull::Refuse);
    let reserve_all = || std::iter::from_fn(|| spool.reserve().ok()).collect::<Vec<Slot>>();
    let first = reserve_all().len();
    assert_eq!(reserve_all().len(), first);
}

#[test]
fn the_operator_may_choose_to_drop_and_each_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let spool = small(dir.path(), WhenFull::Drop);
    for number in 0..10_000 {
        spool.reserve().unwrap().commit(&event(number)).unwrap();
    }
    let stats = spool.stats(&Clock::system());
    assert!(stats.dropped > 0);
    assert_eq!(stats.depth_events + stats.dropped, 10_000);
    assert_eq!(stats.refused, 0);
}

#[test]
fn two_gateways_cannot_share_a_spool() {
    let dir = tempfile::tempdir().unwrap();
    let first = super::open(dir.path());
    let refused = Spool::open(dir.path(), super::options()).unwrap_err();
    assert!(matches!(refused, SpoolError::InUse(_)), "{refused}");
    drop(first);
    super::open(dir.path());
}
