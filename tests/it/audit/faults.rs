//! Postgres stopped, crashed, answering nothing, refusing a row.

use std::io;
use std::path::{Path, PathBuf};

use portcullis::audit::AuditWriter;
use portcullis::clock::Clock;
use portcullis::store::Db;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::{LONG, commit, drain, ids, one, open};
use crate::support::postgres::TestPostgres;

#[tokio::test]
async fn nothing_is_lost_while_postgres_is_stopped_and_crashes() {
    let mut postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let writer = AuditWriter::spawn(spool.clone(), postgres.db());
    commit(&spool, 0..500);
    postgres.stop();
    commit(&spool, 500..1000);
    postgres.restart().await;
    commit(&spool, 1000..1500);
    postgres.crash();
    commit(&spool, 1500..2000);
    assert!(spool.stats(&Clock::system()).depth_events >= 500);
    assert!(spool.stats(&Clock::system()).depth_bytes > 0);
    postgres.restart().await;
    let stats = writer.drain(LONG, &Clock::system()).await;
    assert_eq!(stats.depth_events, 0);
    assert_eq!(ids(&postgres).await, (0..2000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_drain_that_runs_out_of_time_leaves_the_rest_in_the_spool() {
    let mut postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    postgres.stop();
    commit(&spool, 0..100);
    let writer = AuditWriter::spawn(spool.clone(), postgres.db());
    let stats = writer
        .drain(std::time::Duration::ZERO, &Clock::system())
        .await;
    assert_eq!(stats.depth_events, 100);
    drop(spool);
    postgres.restart().await;
    drain(&open(dir.path()), &postgres).await;
    assert_eq!(ids(&postgres).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_row_that_postgres_refuses_holds_up_nothing() {
    let postgres = TestPostgres::migrated().await;
    let mut owner = postgres.owner().await;
    sqlx::raw_sql(
        "ALTER TABLE audit_events ADD CHECK (id <> '00000000-0000-0000-0000-00000000002a')",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    commit(&spool, 0..100);
    let stats = drain(&spool, &postgres).await;
    assert_eq!((stats.rejected, stats.sent, stats.depth_events), (1, 99, 0));
    assert_eq!(
        ids(&postgres).await,
        (0..100).filter(|n| *n != 42).collect::<Vec<_>>()
    );
    let aside = std::fs::read_to_string(dir.path().join("rejected.log")).unwrap();
    assert!(
        aside.contains("\n00000000-0000-0000-0000-00000000002a\t"),
        "{aside}"
    );
}

/// A partition dropped by retention behind the writer's back is made again.
#[tokio::test]
async fn a_missing_partition_is_made_again() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let writer = AuditWriter::spawn(spool.clone(), postgres.db());
    commit(&spool, 0..10);
    while ids(&postgres).await.len() < 10 {
        tokio::task::yield_now().await;
    }
    let mut owner = postgres.owner().await;
    sqlx::raw_sql("DROP TABLE audit_events_2026_03")
        .execute(&mut owner)
        .await
        .unwrap();
    commit(&spool, 10..11);
    writer.drain(LONG, &Clock::system()).await;
    assert_eq!(ids(&postgres).await, [10]);
}

/// The commit got in and its answer was lost: the writer cannot know, sends again.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_not_doubled() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let real = postgres.data_dir().join("postgres/run/.s.PGSQL.5432");
    let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
    let faults = tokio::spawn(lose_the_first_answer_to_copy(listener, real));
    let spool = open(&dir.path().join("spool"));
    commit(&spool, 0..100);
    let writer = AuditWriter::spawn(spool.clone(), db_behind(dir.path()));
    let stats = writer.drain(LONG, &Clock::system()).await;
    assert_eq!(stats.depth_events, 0);
    assert!(faults.is_finished(), "no answer was lost");
    assert_eq!(ids(&postgres).await, (0..100).collect::<Vec<_>>());
    let mut owner = postgres.owner().await;
    let commits: i64 = one(
        &mut owner,
        "SELECT count(DISTINCT xmin::text) FROM audit_events",
    )
    .await;
    assert_eq!(commits, 1, "the first attempt did not get in");
}

fn db_behind(socket_dir: &Path) -> Db {
    let url = format!(
        "postgresql:///portcullis?host={}&port=5432&user=portcullis",
        socket_dir.display()
    );
    Db::open(&url.parse().unwrap(), 4)
}

/// Passes everything on, but cuts the connection instead of passing on `COPY 100`. From
/// then on passes everything on in the background.
async fn lose_the_first_answer_to_copy(listener: UnixListener, real: PathBuf) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = UnixStream::connect(&real).await.unwrap();
        if pass_on_until_copy(client, server).await.is_err() {
            break;
        }
    }
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = UnixStream::connect(&real).await.unwrap();
            tokio::spawn(async move {
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
}

/// An error once the answer is lost.
async fn pass_on_until_copy(client: UnixStream, server: UnixStream) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 65536];
    let outcome = loop {
        let read = from_server.read(&mut buffer).await?;
        let bytes = &buffer[..read];
        if read == 0 {
            break Ok(());
        }
        if bytes.windows(9).any(|it| it == b"COPY 100\0") {
            break Err(io::ErrorKind::ConnectionReset.into());
        }
        to_client.write_all(bytes).await?;
    };
    up.abort();
    outcome
}
