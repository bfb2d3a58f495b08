//! `kill -9` in the middle of writing.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{drain, event, ids, open};
use crate::support::postgres::TestPostgres;

/// Set for the process that is to be killed: this very test, started again.
const VICTIM: &str = "PORTCULLIS_TEST_VICTIM";

#[tokio::test]
async fn every_acknowledged_event_survives_a_kill() {
    if let Some(dir) = env::var_os(VICTIM) {
        acknowledge_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut victim = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "audit::kill::every_acknowledged_event_survives_a_kill",
        ])
        .env(VICTIM, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut acknowledged: Vec<u128> = numbers(&mut lines).take(20_000).collect();
    victim.kill().unwrap();
    victim.wait().unwrap();
    acknowledged.extend(numbers(&mut lines));

    let postgres = TestPostgres::migrated().await;
    let spool = open(dir.path());
    drain(&spool, &postgres).await;
    let there = ids(&postgres).await;
    assert!(acknowledged.len() >= 20_000);
    assert!(
        there.starts_with(&acknowledged),
        "an acknowledged event is missing"
    );
    // At most the one that was written but not yet acknowledged.
    assert!(there.len() <= acknowledged.len() + 1);
}

/// Up to the end or a line cut short.
fn numbers(
    lines: &mut impl Iterator<Item = std::io::Result<String>>,
) -> impl Iterator<Item = u128> {
    lines
        .filter_map(Result::ok)
        .filter_map(|line| line.strip_prefix("ack ")?.strip_suffix('.')?.parse().ok())
}

fn acknowledge_until_killed(dir: &Path) -> ! {
    let spool = open(dir);
    let mut out = std::io::stdout();
    for number in 0.. {
        spool.reserve().unwrap().commit(&event(number)).unwrap();
        // One write a line, unbuffered by line ends: nothing is acknowledged early.
        out.write_all(format!("ack {number}.\n").as_bytes())
            .unwrap();
    }
    unreachable!("numbers do not end")
}
