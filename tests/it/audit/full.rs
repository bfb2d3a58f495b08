//! A full spool, and a spool that somebody else uses.

use std::path::Path;

use portcullis::audit::{Slot, Spool, SpoolError, SpoolFull, SpoolOptions, WhenFull};
use portcullis::clock::Clock;

use super::{drain, event, ids};
use crate::support::postgres::TestPostgres;

fn small(dir: &Path, when_full: WhenFull) -> Spool {
    let options = SpoolOptions {
        max_bytes: 256 << 10,
        shards: 2,
        when_full,
        ..SpoolOptions::default()
    };
    Spool::open(dir, options).unwrap()
}

fn used(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
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
    assert_eq!((stats.depth_events, stats.refused), (committed as u64, 3));
    drain(&spool, &postgres).await;
    spool.reserve().unwrap().commit(&event(committed)).unwrap();
    drain(&spool, &postgres).await;
    assert_eq!(ids(&postgres).await, (0..=committed).collect::<Vec<_>>());
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
