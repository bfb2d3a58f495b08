//! Two processes on one spool, while one takes over from the other.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use portcullis::audit::{AuditWriter, Slot, Spool, SpoolError, SpoolLock, SpoolOptions};
use portcullis::clock::Clock;
use portcullis::domain::WhenFull;

use super::full::{sent, used};
use super::{LONG, commit, event, ids, open, options};
use crate::support::postgres::TestPostgres;

fn generations(dir: &Path) -> Vec<String> {
    let there = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let dirs = there.filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = dirs
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Set for the process that is to be killed: this very test, started again.
const VICTIM: &str = "PORTCULLIS_TEST_PREDECESSOR";
const TEST: &str = "audit::succession::what_a_killed_predecessor_leaves_is_adopted_and_removed";

#[tokio::test]
async fn what_a_killed_predecessor_leaves_is_adopted_and_removed() {
    if let Some(dir) = env::var_os(VICTIM) {
        be_the_predecessor(Path::new(&dir));
    }
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let mut predecessor = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", TEST])
        .env(VICTIM, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(predecessor.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    let refused = Spool::open(dir.path(), options()).unwrap_err();
    assert!(matches!(refused, SpoolError::InUse(_)), "{refused}");
    let spool = Spool::beside(dir.path(), options()).unwrap();
    let writer = AuditWriter::spawn(spool.clone(), postgres.db());
    commit(&spool, 0..100);
    sent(&spool).await;
    assert_eq!(ids(&postgres).await, (0..100).collect::<Vec<_>>());
    assert_eq!(generations(dir.path()), ["0", "1"]);
    predecessor.kill().unwrap();
    predecessor.wait().unwrap();
    while ids(&postgres).await.len() < 201 {
        tokio::task::yield_now().await;
    }
    let stats = writer.drain(LONG, &Clock::system()).await;
    assert_eq!((stats.depth_events, stats.depth_bytes), (0, 0));
    assert_eq!(ids(&postgres).await, (0..201).collect::<Vec<_>>());
    assert_eq!(generations(dir.path()), ["1"]);
}

/// Leaves a hundred events, and a request that was cut off.
fn be_the_predecessor(dir: &Path) -> ! {
    let spool = open(dir);
    commit(&spool, 100..200);
    let mut cut_off = spool.reserve().unwrap();
    cut_off.intend(&event(200)).unwrap();
    println!("\nready");
    // Until it is killed.
    std::io::stdin().read_line(&mut String::new()).unwrap();
    unreachable!("nobody writes");
}

#[test]
fn the_lock_has_one_holder_at_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |()| matches!(SpoolLock::take(dir.path()), Err(SpoolError::InUse(_)));
    let old = open(dir.path());
    assert!(refused(()));
    let new = Spool::beside(dir.path(), options()).unwrap();
    assert!(new.share_lock().unwrap().is_none());
    new.hold(SpoolLock::inherited(old.share_lock().unwrap().unwrap()));
    assert!(refused(()));
    old.release();
    assert!(refused(()), "it is the successor's");
    drop(old);
    assert!(refused(()));
    drop(new);
    open(dir.path());
}

#[test]
fn the_budget_holds_for_both_together() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        max_bytes: 512 << 10,
        shards: 2,
        when_full: WhenFull::Refuse,
        ..SpoolOptions::default()
    };
    let old = Spool::open(dir.path(), options).unwrap();
    let new = Spool::beside(dir.path(), options).unwrap();
    let fill = |spool: &Spool| std::iter::from_fn(|| spool.reserve().ok()).collect::<Vec<Slot>>();
    let slots = std::thread::scope(|scope| {
        let threads = [&old, &new].map(|spool| scope.spawn(|| fill(spool).len()));
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(slots.iter().sum::<usize>() >= 32, "{slots:?}");
    assert!(used(dir.path()) <= 512 << 10, "{}", used(dir.path()));
    // Twice as much would have been taken if each had counted for itself.
    assert!(used(dir.path()) > 256 << 10);
}
