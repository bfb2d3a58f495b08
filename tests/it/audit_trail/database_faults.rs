//! Postgres killed, blocked, frozen, full, or without a connection to spare: what is known
//! serves on, what must be asked is 503 in time, and every event gets there once.

use std::fs;
use std::time::Duration;

use portcullis::clock::Clock;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit, test_kill_process};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::recorded;
use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::load;
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
";
/// What an answer may take that needs the database, when that does not answer.
const IN_TIME: Duration = Duration::from_secs(8);

struct Bench {
    gateway: TestGateway,
    keys: Keys,
    /// A key that the gateway has not seen.
    unseen: String,
    answers: Vec<Answer>,
    _upstream: Upstream,
}

impl Bench {
    async fn start() -> Self {
        let upstream = Upstream::ok();
        let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
        Self::of(gateway, upstream)
    }

    fn of(gateway: TestGateway, upstream: Upstream) -> Self {
        let keys = gateway.seed();
        let unseen = gateway.key("owner@example.com", Some("acme/fraud"));
        gateway.make_known(&keys.viewer);
        gateway.make_known(&keys.editor);
        Self {
            gateway,
            keys,
            unseen,
            answers: Vec::new(),
            _upstream: upstream,
        }
    }

    /// Reads and writes of known keys, all of which pass.
    fn pass(&mut self, requests: usize) {
        let answers = load::send(&self.gateway, 4, requests / 4, |number| match number % 2 {
            0 => load::request("GET", "/things", &self.keys.viewer),
            _ => load::request("POST", "/things", &self.keys.editor),
        });
        assert_eq!(answers.len(), requests);
        let odd = answers.iter().find(|answer| answer.status != 200);
        assert!(odd.is_none(), "{odd:?}");
        self.answers.extend(answers);
    }

    /// A key that must be asked for: nobody can tell whether it is genuine.
    fn cannot_tell(&mut self) {
        let clock = Clock::system();
        let began = clock.instant();
        let answer = self.gateway.get("/things", &self.unseen);
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.json()["code"], "truth_unavailable");
        assert!(clock.instant() - began < IN_TIME);
        self.answers.push(answer);
    }

    /// Everything is as before, and every event is there, once.
    async fn check_whole(mut self) {
        let mut answer = self.gateway.get("/things", &self.unseen);
        until("the database", || {
            self.answers.push(answer.clone());
            answer = self.gateway.get("/things", &self.unseen);
            answer.status == 200
        });
        self.answers.push(answer);
        self.gateway.wait_for_audit();
        let mut answered = load::request_ids(&self.answers);
        answered.sort();
        assert_eq!(recorded(&self.gateway.events().await), answered);
        for counter in ["rejected_events", "dropped_events", "failed_events"] {
            assert_eq!(
                self.gateway.metric(&format!("portcullis_audit_{counter}")),
                0
            );
        }
    }
}

fn children(of: Pid) -> Vec<Pid> {
    let parent = of.as_raw_nonzero().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1) == Some(&parent)
    };
    pids.filter(is_child).filter_map(Pid::from_raw).collect()
}

/// The server and all that it started.
fn processes(gateway: &TestGateway) -> Vec<Pid> {
    let postmaster = gateway.postgres.pid();
    [vec![postmaster], children(postmaster)].concat()
}

fn signal_all(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // One of them may have ended by itself.
        let _ = kill_process(*pid, signal);
    }
}

/// `kill -9` of the server process, which leaves its children behind for a moment; the
/// gateway starts it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_server_killed_under_load_comes_back() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::embedded(&yaml(upstream.address(), ROUTES));
    gateway.launch();
    let mut bench = Bench::of(gateway, upstream);
    for _ in 0..3 {
        bench.pass(100);
        let lock = bench
            .gateway
            .data_dir()
            .join("postgres/data/postmaster.pid");
        let postmaster = || -> Option<Pid> {
            let text = fs::read_to_string(&lock).ok()?;
            let pid = text.lines().next()?.parse().ok()?;
            Pid::from_raw(pid).filter(|pid| test_kill_process(*pid).is_ok())
        };
        until("a server", || postmaster().is_some());
        let killed = postmaster().unwrap();
        kill_process(killed, Signal::KILL).unwrap();
        bench.pass(200);
        until("another server", || {
            postmaster().is_some_and(|pid| pid != killed)
        });
    }
    bench.pass(100);
    bench.check_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_the_tables_keeps_nobody_waiting_who_is_known() {
    let mut bench = Bench::start().await;
    let mut blocker = bench.gateway.postgres.owner().await;
    blocker
        .execute("BEGIN; LOCK TABLE audit_events, api_keys IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    bench.pass(200);
    bench.cannot_tell();
    assert!(bench.gateway.metric("portcullis_audit_spool_events") >= 200);
    blocker.execute("ROLLBACK").await.unwrap();
    bench.check_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_keeps_nobody_waiting_who_is_known() {
    let mut bench = Bench::start().await;
    let frozen = processes(&bench.gateway);
    signal_all(&frozen, Signal::STOP);
    bench.pass(200);
    bench.cannot_tell();
    bench.pass(100);
    signal_all(&frozen, Signal::CONT);
    bench.check_whole().await;
}

/// A server that is silent is no confirmation, however open its connections are.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_ends_the_belief_in_what_it_said() {
    let upstream = Upstream::ok();
    let yaml = format!(
        "{}\ncache: {{ poll: 100ms, max_staleness: 10s }}",
        yaml(upstream.address(), ROUTES)
    );
    let mut bench = Bench::of(TestGateway::start(&yaml).await, upstream);
    let frozen = processes(&bench.gateway);
    signal_all(&frozen, Signal::STOP);
    bench.pass(4);
    until("disbelief", || {
        let answer = bench.gateway.get("/things", &bench.keys.viewer);
        let status = answer.status;
        bench.answers.push(answer);
        status == 503
    });
    signal_all(&frozen, Signal::CONT);
    bench.check_whole().await;
}

/// No file of the server may grow: what a full disk is to it. (But for the WAL, whose files
/// are smaller than the limit.)
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_server_loses_nothing() {
    const MEBIBYTE: u64 = 1 << 20;
    let mut bench = Bench::start().await;
    bench.pass(100);
    bench.gateway.wait_for_audit();
    fill_partition(&mut bench.gateway.postgres.owner().await, 40 * MEBIBYTE).await;
    bench.gateway.postgres.stop();
    limit_files(Some(17 * MEBIBYTE));
    bench.gateway.postgres.restart().await;
    limit_files(None);
    bench.pass(400);
    until("the server to be full", || {
        bench.gateway.log().contains("File too large")
    });
    bench.pass(100);
    assert!(bench.gateway.metric("portcullis_audit_spool_events") > 0);
    bench.gateway.postgres.stop();
    bench.gateway.postgres.restart().await;
    bench.check_whole().await;
}

/// Bounds what this process, and those that it starts from now on, may write into a file.
fn limit_files(bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    setrlimit(Resource::Fsize, limit).unwrap();
}

/// Makes the current month's partition so large that the next rows make its file grow.
async fn fill_partition(owner: &mut PgConnection, bytes: u64) {
    let rows = bytes / 2000;
    let sql = format!(
        "INSERT INTO audit_events (id, occurred_at, event, result, actor_type, user_agent, details)
         SELECT gen_random_uuid(), now(), 'padding', 'success', 'operator', repeat('x', 500), '{{}}'
         FROM generate_series(1, {rows} * 4)"
    );
    owner.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
}

/// Changes of the command line and requests alike find no connection.
#[tokio::test(flavor = "multi_thread")]
async fn no_connection_to_spare_is_as_good_as_no_server() {
    let mut bench = Bench::start().await;
    let mut owner = bench.gateway.postgres.owner().await;
    owner
        .execute("ALTER ROLE portcullis CONNECTION LIMIT 0")
        .await
        .unwrap();
    let superuser = bench.gateway.postgres.superuser_url();
    let mut superuser = PgConnection::connect(&superuser).await.unwrap();
    superuser
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'portcullis'",
        )
        .await
        .unwrap();
    bench.pass(200);
    bench.cannot_tell();
    assert!(bench.gateway.metric("portcullis_audit_spool_events") >= 200);
    owner
        .execute("ALTER ROLE portcullis CONNECTION LIMIT -1")
        .await
        .unwrap();
    owner.close().await.unwrap();
    bench.check_whole().await;
}
