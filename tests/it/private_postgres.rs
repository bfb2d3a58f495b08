//! The embedded database: made, adopted, shared, restarted and stopped.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis::store::private_postgres::{PrivatePostgres, PrivatePostgresError};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::{Connection, PgConnection};

use crate::support::postgres::TestPostgres;

fn data_dir() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o711))
        .tempdir()
        .unwrap()
}

fn postmaster(data_dir: &Path) -> Pid {
    let text = fs::read_to_string(data_dir.join("postgres/data/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

async fn text(url: &str, sql: &'static str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn answers_again(url: &str) {
    while PgConnection::connect(url).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn it_has_its_roles_keeps_its_data_and_leaves_no_process() {
    let dir = data_dir();
    let postgres = PrivatePostgres::start(dir.path()).await.unwrap();
    let mut owner = PgConnection::connect(&postgres.owner_url()).await.unwrap();
    sqlx::raw_sql(
        "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here');
         GRANT SELECT ON kept TO portcullis_gateway",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    owner.close().await.unwrap();
    let pid = postmaster(dir.path());
    postgres.stop().await;
    assert!(test_kill_process(pid).is_err(), "the server still runs");

    let postgres = PrivatePostgres::start(dir.path()).await.unwrap();
    let gateway = postgres.gateway_url();
    assert_eq!(text(&gateway, "SELECT word FROM kept").await, "here");
    assert_eq!(text(&gateway, "SHOW listen_addresses").await, "");
    assert_eq!(text(&gateway, "SHOW fsync").await, "on");
    postgres.stop().await;
}

#[tokio::test]
async fn the_gateway_is_neither_owner_nor_superuser() {
    let postgres = TestPostgres::start().await;
    let mut gateway = postgres.gateway().await;
    let refused = sqlx::raw_sql("CREATE TABLE mine (a int)")
        .execute(&mut gateway)
        .await;
    assert!(refused.is_err());
    let powers: String = sqlx::query_scalar(
        "SELECT concat(rolsuper, rolcreaterole, rolcreatedb, rolbypassrls)
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut gateway)
    .await
    .unwrap();
    assert_eq!(powers, "ffff");
}

#[tokio::test]
async fn a_killed_server_is_restarted() {
    let dir = data_dir();
    let postgres = PrivatePostgres::start(dir.path()).await.unwrap();
    let killed = postmaster(dir.path());
    kill_process(killed, Signal::KILL).unwrap();
    let url = postgres.gateway_url();
    while PgConnection::connect(&url).await.is_ok() {
        tokio::task::yield_now().await;
    }
    answers_again(&url).await;
    assert_ne!(postmaster(dir.path()), killed);
    postgres.stop().await;
}

#[tokio::test]
async fn a_second_start_is_a_guest_and_does_not_stop_it() {
    let dir = data_dir();
    let first = PrivatePostgres::start(dir.path()).await.unwrap();
    let pid = postmaster(dir.path());
    let second = PrivatePostgres::start(dir.path()).await.unwrap();
    assert_eq!(second.urls(), first.urls());
    second.stop().await;
    assert_eq!(text(&first.gateway_url(), "SELECT 'up'").await, "up");
    assert_eq!(postmaster(dir.path()), pid);
    first.stop().await;
}

/// What the server of a supervisor that was killed with -9 looks like to the next one:
/// a running server and a free lock.
#[tokio::test]
async fn a_server_left_behind_is_adopted_and_stopped() {
    let mut left_behind = TestPostgres::start().await;
    let dir = left_behind.data_dir().to_owned();
    let pid = postmaster(&dir);
    let adopted = PrivatePostgres::start(&dir).await.unwrap();
    assert_eq!(postmaster(&dir), pid);
    assert_eq!(text(&adopted.gateway_url(), "SELECT 'up'").await, "up");
    adopted.stop().await;
    assert!(left_behind.has_ended(), "the server still runs");
}

#[tokio::test]
async fn a_process_number_of_somebody_else_is_no_server() {
    let dir = data_dir();
    PrivatePostgres::start(dir.path())
        .await
        .unwrap()
        .stop()
        .await;
    let lock_file = dir.path().join("postgres/data/postmaster.pid");
    let us = std::process::id();
    fs::write(&lock_file, format!("{us}\n/x\n0\n5432\n/x\n\n\nready\n")).unwrap();
    assert!(matches!(
        PrivatePostgres::running(dir.path()),
        Err(PrivatePostgresError::NotRunning(_))
    ));
    let postgres = PrivatePostgres::start(dir.path()).await.unwrap();
    assert!(PrivatePostgres::running(dir.path()).is_ok());
    postgres.stop().await;
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_directory() {
    let dir = data_dir();
    let deep = dir.path().join("d".repeat(100));
    let postgres = PrivatePostgres::start(&deep).await.unwrap();
    let urls = PrivatePostgres::running(&deep).unwrap();
    assert_eq!(&urls, postgres.urls());
    assert_eq!(text(&urls.gateway(), "SELECT 'up'").await, "up");
    let socket_dir = PathBuf::from(text(&urls.superuser(), "SHOW unix_socket_directories").await);
    assert!(!socket_dir.starts_with(dir.path()));
    assert_eq!(
        fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    postgres.stop().await;
    fs::remove_dir_all(socket_dir).unwrap();
}

/// A checkout under `/root`: Postgres runs as a user that may not enter it. (For other
/// users than root this is the ordinary case.)
#[tokio::test]
async fn a_data_directory_below_a_private_one_works() {
    let dir = data_dir();
    let private = dir.path().join("private");
    fs::DirBuilder::new().mode(0o700).create(&private).unwrap();
    let postgres = PrivatePostgres::start(&private.join("data")).await.unwrap();
    assert_eq!(text(&postgres.gateway_url(), "SELECT 'up'").await, "up");
    postgres.stop().await;
}

#[tokio::test]
async fn a_socket_directory_open_to_others_is_refused() {
    let dir = data_dir();
    PrivatePostgres::start(dir.path())
        .await
        .unwrap()
        .stop()
        .await;
    let run = dir.path().join("postgres/run");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = PrivatePostgres::start(dir.path()).await.unwrap_err();
    assert!(matches!(refused, PrivatePostgresError::UnsafeSocketDirectory(path) if path == run));
}
