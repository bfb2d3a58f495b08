//! Starts: without a database, with its own, and those that must fail.

use std::net::TcpListener;

use rustix::process::{Pid, test_kill_process};

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::upstream::Upstream;

const ROUTES: &str = "  - { route: GET /things, upstream: app, permission: datasets:read }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_away_at_start_is_waited_for() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    gateway.postgres.stop();
    gateway.launch_without_database();
    until("word of it", || {
        gateway.log().contains("waiting for the database")
    });
    let ready = gateway.private_get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("database"), "{}", ready.body);
    assert_eq!(gateway.private_get("/livez").status, 200);
    gateway.postgres.restart().await;
    gateway.wait_until_open();
    until("readiness", || gateway.private_get("/readyz").status == 200);
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_waiting_for_the_database_is_a_clean_end() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    gateway.postgres.stop();
    gateway.launch_without_database();
    until("word of it", || {
        gateway.log().contains("waiting for the database")
    });
    assert!(gateway.stop());
}

fn postmaster(gateway: &TestGateway) -> Pid {
    let file = gateway.data_dir().join("postgres/data/postmaster.pid");
    let text = std::fs::read_to_string(file).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_it_brings_its_own() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::embedded(&yaml(upstream.address(), ROUTES));
    gateway.launch();
    let keys = gateway.seed();
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    let first = postmaster(&gateway);
    assert!(gateway.stop());
    assert!(test_kill_process(first).is_err(), "Postgres still runs");
    gateway.launch();
    assert_eq!(
        gateway.get("/things", &keys.viewer).status,
        200,
        "the data is kept"
    );
    let second = postmaster(&gateway);
    gateway.kill();
    assert!(test_kill_process(second).is_ok(), "it outlives a kill");
    gateway.launch();
    assert_eq!(postmaster(&gateway), second, "and is adopted");
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    gateway.wait_for_audit();
    assert_eq!(gateway.events().await.len(), 3);
    assert!(gateway.stop());
    until("the adopted Postgres to end", || has_ended(second));
}

/// Gone, or waiting for whoever inherited it to notice.
fn has_ended(pid: Pid) -> bool {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let Ok(stat) = std::fs::read_to_string(path) else {
        return true;
    };
    let state = stat.rsplit(") ").next();
    state.is_some_and(|state| state.starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_clearly() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = std::fs::read_to_string(gateway.config()).unwrap();
    let config = config.replacen("listen: 127.0.0.1:0", &format!("listen: {address}"), 1);
    std::fs::write(gateway.config(), config).unwrap();
    let (code, told) = gateway.fails_to_start();
    assert_eq!(code, 1);
    assert!(
        told.contains(&format!("cannot listen on {address}")),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_cannot_share_a_spool() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let (code, told) = gateway.fails_to_start();
    assert_eq!(code, 1);
    assert!(told.contains("needs an audit spool of its own"), "{told}");
    until("the first, untouched, to be ready", || {
        gateway.private_get("/readyz").status == 200
    });
}

/// A login that row-level security does not hold is no login to serve under: waiting would
/// not mend it, and the message says what would.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_could_get_around_row_level_security_serves_nobody() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    let sound = std::fs::read_to_string(gateway.config()).unwrap();
    let unfit = sound.replace(
        &gateway.postgres.gateway_url(),
        &gateway.postgres.owner_url(),
    );
    assert_ne!(sound, unfit);
    std::fs::write(gateway.config(), unfit).unwrap();
    let (code, told) = gateway.fails_to_start();
    assert_eq!(code, 1, "{told}");
    for word in [
        "row-level security does not hold it",
        "CREATE ROLE portcullis LOGIN IN ROLE portcullis_gateway",
        "database.migrate_url",
    ] {
        assert!(told.contains(word), "{told}");
    }
    assert!(!told.contains("\"listener\":\"public\""), "{told}");
    // The commands say the same, and the sound login serves.
    let (code, _) = gateway.cli_code(&["tenants", "list"]);
    assert_eq!(code, 1);
    std::fs::write(gateway.config(), sound).unwrap();
    gateway.launch();
}
