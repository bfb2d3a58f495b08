//! An upgrade that does not come about changes nothing.

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::upstream::Upstream;

const ROUTES: &str = "  - { route: GET /things, upstream: app, permission: datasets:read }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_and_an_address_in_use() {
    let upstream = Upstream::ok();
    let good = yaml(upstream.address(), ROUTES);
    let mut gateway = TestGateway::start(&good).await;
    let keys = gateway.seed();
    gateway.configure("unheard: of\n");
    let (code, told) = gateway.fails_to_upgrade();
    assert_eq!(code, 3);
    assert!(told.contains("unknown key"), "{told}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = gateway.full(&good);
    let text = text.replacen("listen: 127.0.0.1:0", &format!("listen: {address}"), 1);
    std::fs::write(gateway.config(), text).unwrap();
    let (code, told) = gateway.fails_to_upgrade();
    assert_eq!(code, 1);
    assert!(
        told.contains(&format!("cannot listen on {address}")),
        "{told}"
    );
    until("word of it", || {
        gateway.log().contains("this process serves on")
    });

    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    gateway.configure(&good);
    assert!(gateway.upgrade().wait());
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    assert!(gateway.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away() {
    let upstream = Upstream::ok();
    let good = yaml(upstream.address(), ROUTES);
    let mut gateway = TestGateway::start(&good).await;
    let keys = gateway.seed();
    gateway.make_known(&keys.viewer);
    gateway.postgres.stop();
    let (code, told) = gateway.fails_to_upgrade();
    assert_eq!(code, 1);
    assert!(
        told.contains("upgrade: the database does not answer"),
        "{told}"
    );
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    gateway.postgres.restart().await;
    assert!(gateway.upgrade().wait());
    assert!(gateway.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_start_does_not_take_over() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let (code, told) = gateway.fails_to_start();
    assert_eq!(code, 1);
    assert!(told.contains("needs an audit spool of its own"), "{told}");
    until("readiness", || gateway.private_get("/readyz").status == 200);
}
