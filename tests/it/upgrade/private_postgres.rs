//! The private Postgres: started by one process, left to the next.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::upstream::Upstream;

const ROUTES: &str = "  - { route: GET /things, upstream: app, permission: datasets:read }\n";

fn postmaster(gateway: &TestGateway) -> Option<Pid> {
    let file = gateway.data_dir().join("postgres/data/postmaster.pid");
    let text = std::fs::read_to_string(file).ok()?;
    Pid::from_raw(text.lines().next()?.parse().ok()?)
}

fn has_ended(pid: Pid) -> bool {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let stat = std::fs::read_to_string(path);
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_on_and_has_one_supervisor() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::embedded(&yaml(upstream.address(), ROUTES));
    gateway.launch();
    let keys = gateway.seed();
    let first = postmaster(&gateway).unwrap();
    for _ in 0..2 {
        assert!(gateway.upgrade().wait());
        assert_eq!(postmaster(&gateway), Some(first));
        assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    }
    // The process that serves restarts it, and there is nobody else who would.
    kill_process(first, Signal::KILL).unwrap();
    until("another server", || {
        postmaster(&gateway).is_some_and(|pid| pid != first && !has_ended(pid))
    });
    until("readiness", || gateway.private_get("/readyz").status == 200);
    until("an answer", || {
        gateway.key_or_none("viewer@example.com").is_some()
    });
    let second = postmaster(&gateway).unwrap();
    assert!(gateway.stop());
    until("its end", || has_ended(second));
    gateway.launch();
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    gateway.wait_for_audit();
    assert_eq!(gateway.events().await.len(), 3);
    assert!(gateway.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_of_a_killed_process_supervises_it() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::embedded(&yaml(upstream.address(), ROUTES));
    gateway.launch();
    let keys = gateway.seed();
    let first = postmaster(&gateway).unwrap();
    gateway.kill();
    gateway.launch_with(&["serve", "--upgrade"]);
    assert_eq!(postmaster(&gateway), Some(first));
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    assert!(gateway.stop());
    until("its end", || has_ended(first));
}
