//! A real Postgres for each test that wants one.
//!
//! `initdb` runs once: its result is kept as a template and copied, so that a server of
//! one's own costs some 0.2 s. A test may stop, kill and restart its server without
//! regard to others, and nothing is left behind: dropping it ends the process, and it
//! stays in the test's process group for the runner to kill if the test itself hangs.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portcullis::clock::Clock;
use portcullis::domain::Actor;
use portcullis::store::private_postgres::{Cluster, PrivatePostgres, Urls};
use portcullis::store::{Author, Db, migrate};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// No durability: a test's database need not outlive a power cut.
const FAST: [&str; 3] = ["fsync=off", "full_page_writes=off", "shared_buffers=16MB"];

const BOOTSTRAP: &str = include_str!("../../../src/store/private_postgres/bootstrap.rs");

/// A server with the roles and the empty database of a private Postgres.
pub struct TestPostgres {
    dir: TempDir,
    urls: Urls,
    child: Option<Child>,
}

impl TestPostgres {
    /// A fresh server, ready for connections.
    pub async fn start() -> Self {
        let dir = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        copy(
            &template().await.join("postgres"),
            &dir.path().join("postgres"),
        );
        let urls = Urls::new(&dir.path().join("postgres/run"));
        let mut postgres = Self {
            dir,
            urls,
            child: None,
        };
        postgres.restart().await;
        postgres
    }

    /// The server of a gateway's `data_dir`, which somebody else starts and stops.
    pub fn of(data_dir: &Path) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            urls: Urls::new(&data_dir.join("postgres/run")),
            child: None,
        }
    }

    /// Stops the server: clients lose their connections, new ones are refused.
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Ends the server as a crash would.
    pub fn crash(&mut self) {
        self.end(Signal::QUIT);
    }

    /// Starts the stopped server again, on the same socket.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "the server still runs");
        let cluster = Cluster::locate(self.dir.path()).unwrap();
        let socket_dir = cluster.socket_dir().unwrap();
        let mut command = cluster.postgres(&socket_dir);
        for setting in FAST {
            command.arg("-c").arg(setting);
        }
        let log = File::create(cluster.log()).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        self.wait_until_it_answers(&cluster.log()).await;
    }

    /// A fresh server with the schema and without built-in roles.
    pub async fn migrated() -> Self {
        let postgres = Self::start().await;
        let url = postgres.owner_url().parse().unwrap();
        let clock = Clock::system();
        let mut author = Author::new(Actor::anonymous(), clock, StdRng::seed_from_u64(0));
        migrate(&url, &mut author, &[]).await.unwrap();
        postgres
    }

    /// A pool as the gateway has it.
    pub fn db(&self) -> Db {
        Db::open(&self.gateway_url().parse().unwrap(), 4)
    }

    /// The data directory, as `data_dir:` would name it.
    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The server process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().unwrap())
    }

    /// Whether the server has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// As the owner of the schema.
    pub fn owner_url(&self) -> String {
        self.urls.owner()
    }

    /// As the superuser.
    pub fn superuser_url(&self) -> String {
        self.urls.superuser()
    }

    /// As the gateway.
    pub fn gateway_url(&self) -> String {
        self.urls.gateway()
    }

    /// A connection as the owner of the schema, who sees all tenants.
    pub async fn owner(&self) -> PgConnection {
        let mut owner = PgConnection::connect(&self.owner_url()).await.unwrap();
        let claim = "SET request.jwt.claim.role = 'gateway'";
        sqlx::raw_sql(claim).execute(&mut owner).await.unwrap();
        owner
    }

    /// A connection as the gateway.
    pub async fn gateway(&self) -> PgConnection {
        PgConnection::connect(&self.gateway_url()).await.unwrap()
    }

    async fn wait_until_it_answers(&mut self, log: &Path) {
        loop {
            if let Ok(connection) = PgConnection::connect(&self.gateway_url()).await {
                connection.close().await.unwrap();
                return;
            }
            let child = self.child.as_mut().unwrap();
            if let Some(status) = child.try_wait().unwrap() {
                let log = fs::read_to_string(log).unwrap();
                panic!("PostgreSQL ended with {status}: {log}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut child) = self.child.take() {
            let _ = kill_process(Pid::from_child(&child), signal);
            child.wait().unwrap();
        }
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        self.crash();
    }
}

/// A data directory with a bootstrapped cluster; made by the first test that comes.
async fn template() -> PathBuf {
    let key = crc32fast::hash(BOOTSTRAP.as_bytes());
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("postgres-template-{key:08x}"));
    let lock = File::create(dir.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let ready = dir.join("ready");
    if !ready.exists() {
        let _ = fs::remove_dir_all(&dir);
        let postgres = PrivatePostgres::start(&dir).await.unwrap();
        postgres.stop().await;
        File::create(ready).unwrap();
    }
    dir
}

/// Owners and modes too, which the standard library does not copy.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.unwrap().success());
}
