//! What a former process left in the spool.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use portcullis::audit::{AuditWriter, Spool, SpoolError};
use portcullis::clock::Clock;
use portcullis::domain::WhenFull;

use super::full::{commit_patiently, sent, small};
use super::{LONG, commit, drain, event, ids, one, open, options};
use crate::support::postgres::TestPostgres;

/// In all generations.
fn files(dir: &Path) -> Vec<PathBuf> {
    let there = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let (dirs, mut files): (Vec<_>, Vec<_>) = there.partition(|path| path.is_dir());
    files.retain(|file| file.extension().is_some_and(|it| it == "spool"));
    files.extend(dirs.iter().flat_map(|dir| self::files(dir)));
    files
}

/// The file that events were written to, and the end of what was written.
fn written(dir: &Path) -> (PathBuf, usize) {
    let end = |file: &PathBuf| {
        let bytes = fs::read(file).unwrap();
        bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1
    };
    let all = files(dir)
        .into_iter()
        .map(|file| (file.clone(), end(&file)));
    all.max_by_key(|(_, end)| *end).unwrap()
}

/// Next to the lock, as earlier versions left them.
fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

#[tokio::test]
async fn events_sent_before_a_crash_are_not_doubled() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let before = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    commit(&spool, 0..1000);
    copy(dir.path(), before.path());
    drain(&spool, &postgres).await;
    assert_eq!(ids(&postgres).await.len(), 1000);
    // As if the files had not been deleted, and some more been written.
    let spool = open(before.path());
    assert_eq!(spool.stats(&Clock::system()).depth_events, 1000);
    assert!(!before.path().join("0000000000000000.spool").exists());
    commit(&spool, 1000..1100);
    let stats = drain(&spool, &postgres).await;
    assert_eq!((stats.depth_events, stats.rejected), (0, 0));
    assert_eq!(ids(&postgres).await, (0..1100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_torn_tail_is_dropped_and_counted() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    commit(&open(dir.path()), 0..100);
    let (file, end) = written(dir.path());
    let torn = File::options().write(true).open(file).unwrap();
    torn.write_all_at(&[0; 40], end as u64 - 40).unwrap();
    let spool = open(dir.path());
    let stats = drain(&spool, &postgres).await;
    assert_eq!((stats.torn, stats.sent), (1, 99));
    assert_eq!(ids(&postgres).await, (0..99).collect::<Vec<_>>());
}

#[test]
fn a_file_of_another_version_is_not_guessed_at() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("0000000000000000.spool");
    fs::write(&file, "portcullis-spool 2 id\n").unwrap();
    let refused = Spool::open(dir.path(), options()).unwrap_err();
    assert!(matches!(refused, SpoolError::OtherVersion(path) if path == file));
}

#[test]
fn a_file_without_its_header_was_never_used() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("0000000000000000.spool");
    fs::write(&file, [0; 4096]).unwrap();
    open(dir.path());
    assert!(!file.exists());
}

/// Killed between forwarding and answering: the slot is never dropped.
#[tokio::test]
async fn a_request_cut_off_by_a_kill_is_recorded_as_interrupted() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let crashed = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let mut cut_off = spool.reserve().unwrap();
    cut_off.intend(&event(1)).unwrap();
    let mut answered = spool.reserve().unwrap();
    answered.intend(&event(2)).unwrap();
    answered.commit(&event(2)).unwrap();
    copy(dir.path(), crashed.path());

    let spool = open(crashed.path());
    assert_eq!(spool.stats(&Clock::system()).depth_events, 2);
    let stats = drain(&spool, &postgres).await;
    assert_eq!(stats.depth_events, 0);
    assert_eq!(ids(&postgres).await, [1, 2]);
    let mut owner = postgres.owner().await;
    let how: String = one(
        &mut owner,
        "SELECT string_agg(concat_ws(' ', result, reason, status), ', ' ORDER BY id) FROM audit_events",
    )
    .await;
    assert_eq!(how, "failed gateway_interrupted, success 200");
}

#[tokio::test]
async fn a_slot_dropped_after_its_intent_leaves_an_event_at_once() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let mut slot = spool.reserve().unwrap();
    slot.intend(&event(7)).unwrap();
    drop(slot);
    let stats = drain(&spool, &postgres).await;
    assert_eq!(
        (stats.sent, stats.depth_events, stats.depth_bytes),
        (1, 0, 0)
    );
    assert_eq!(ids(&postgres).await, [7]);
}

/// The file of an intent outlives its other events for as long as the request runs.
#[tokio::test]
async fn an_open_intent_keeps_its_file() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = small(dir.path(), WhenFull::Refuse);
    let writer = AuditWriter::spawn(spool.clone(), postgres.db());
    let mut slot = spool.reserve().unwrap();
    slot.intend(&event(1)).unwrap();
    let (file, _) = written(dir.path());
    // Many files' worth: all but that one go.
    commit_patiently(&spool, 2..2000).await;
    sent(&spool).await;
    assert!(file.exists());
    slot.commit(&event(1)).unwrap();
    writer.drain(LONG, &Clock::system()).await;
    assert_eq!(ids(&postgres).await, (1..2000).collect::<Vec<_>>());
    assert!(!file.exists());
}
