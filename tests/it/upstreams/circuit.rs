//! An address that gives no answers is left alone, and taken back.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis::clock::Clock;

use crate::support::gateway::{Keys, TestGateway, until};
use crate::support::upstream::{Upstream, respond};

/// Three failures open a circuit for a second; checks of health do not interfere.
fn config(addresses: &[SocketAddr], circuit: &str) -> String {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    format!(
        "upstreams:\n  app:\n    addresses: {addresses:?}\n    circuit: {circuit}\n    \
           timeouts: {{ connect: 500ms, read: 500ms }}\n    health: {{ interval: 1h }}\n\
         routes:\n  - {{ route: \"GET|POST /things/{{way}}\", upstream: app, permission: datasets:read }}\n  \
           - {{ route: GET /hasty, upstream: app, permission: datasets:read, timeouts: {{ read: 50ms }} }}\n"
    )
}

const CIRCUIT: &str = "{ failures: 3, cooldown: 1s }";

/// A backend that, while it is ill, ends connections without an answer.
fn moody(name: &'static str) -> (Upstream, Arc<AtomicBool>) {
    let ill = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&ill);
    let upstream = Upstream::with(move |request, stream| {
        if request.line().contains("silent") || request.line().contains("hasty") {
            return io::Read::read(stream, &mut [0]).map(drop);
        }
        if state.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if request.line().contains("error") {
            return respond(stream, "500 Internal Server Error", b"no");
        }
        respond(stream, "200 OK", name.as_bytes())
    });
    (upstream, ill)
}

fn open_circuits(gateway: &TestGateway) -> usize {
    let metrics = gateway.private_get("/metrics").body;
    let name = "portcullis_upstream_circuit_open{";
    metrics
        .lines()
        .filter(|line| line.starts_with(name))
        .count()
}

fn status(gateway: &TestGateway, keys: &Keys, target: &str) -> u16 {
    gateway.get(target, &keys.viewer).status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ill_backend_is_left_alone_answers_at_once_and_is_taken_back() {
    let (upstream, ill) = moody("a");
    let gateway = TestGateway::start(&config(&[upstream.address()], CIRCUIT)).await;
    let keys = gateway.seed();
    assert_eq!(status(&gateway, &keys, "/things/1"), 200);
    ill.store(true, Ordering::Relaxed);
    // A kept connection that breaks is no news: four, then three that count.
    until("the circuit", || {
        open_circuits(&gateway) == 1 || {
            assert!(matches!(status(&gateway, &keys, "/things/1"), 502 | 503));
            false
        }
    });
    let asked = upstream.received().len();
    let refused = gateway.get("/things/1", &keys.viewer);
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["code"], "upstream_unavailable");
    assert_eq!(refused.header("retry-after"), ["1"]);
    assert_eq!(upstream.received().len(), asked, "nothing is sent there");
    ill.store(false, Ordering::Relaxed);
    until("it to be taken back", || {
        status(&gateway, &keys, "/things/1") == 200
    });
    assert_eq!(open_circuits(&gateway), 0);
    gateway.wait_for_audit();
    for event in gateway.events().await {
        let told = (event["status"].as_u64().unwrap(), event["reason"].as_str());
        assert!(
            matches!(
                told,
                (200, None) | (502, Some("upstream_broken")) | (503, Some("upstream_unavailable"))
            ),
            "{event}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_tries_and_its_failure_keeps_it_closed_to_all() {
    let (upstream, ill) = moody("a");
    ill.store(true, Ordering::Relaxed);
    let gateway = TestGateway::start(&config(&[upstream.address()], CIRCUIT)).await;
    let keys = gateway.seed();
    for _ in 0..3 {
        assert_eq!(status(&gateway, &keys, "/things/1"), 502);
    }
    let clock = Clock::system();
    for _ in 0..3 {
        let opened = clock.instant();
        assert_eq!(status(&gateway, &keys, "/things/1"), 503);
        let before = upstream.received().len();
        until("somebody to try", || {
            status(&gateway, &keys, "/things/1") == 502
        });
        assert_eq!(upstream.received().len(), before + 1, "one tries");
        assert!((clock.instant() - opened).as_millis() > 800);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_application_and_hasty_routes_do_not_count() {
    let (upstream, _) = moody("a");
    let gateway = TestGateway::start(&config(&[upstream.address()], CIRCUIT)).await;
    let keys = gateway.seed();
    for _ in 0..6 {
        assert_eq!(status(&gateway, &keys, "/things/error"), 500);
    }
    for _ in 0..6 {
        assert_eq!(status(&gateway, &keys, "/hasty"), 504);
    }
    // A client that takes its time to send is no fault of the backend's either.
    for _ in 0..4 {
        let mut slow = gateway.connect();
        slow.send(format!(
            "POST /things/slow HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
             Content-Length: 9\r\n\r\nhalf",
            keys.viewer
        ));
        assert_eq!(slow.answer().unwrap().status, 504);
    }
    assert_eq!(status(&gateway, &keys, "/things/1"), 200);
    for _ in 0..3 {
        assert_eq!(status(&gateway, &keys, "/things/silent"), 504);
    }
    assert_eq!(status(&gateway, &keys, "/things/1"), 503, "these do");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_do_the_work_of_one_that_is_left_alone() {
    let (first, _) = moody("a");
    let (second, ill) = moody("b");
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = place.local_addr().unwrap();
    drop(place);
    let addresses = [first.address(), second.address(), dead];
    let gateway = TestGateway::start(&config(&addresses, "{ failures: 2, cooldown: 1h }")).await;
    let keys = gateway.seed();
    // A dead address costs nobody an answer.
    for _ in 0..12 {
        assert_eq!(status(&gateway, &keys, "/things/1"), 200);
    }
    assert_eq!(open_circuits(&gateway), 1);
    assert!(gateway.metric("portcullis_upstream_retries_total{upstream=\"app\"}") >= 2);
    ill.store(true, Ordering::Relaxed);
    until("the second to be left alone", || {
        status(&gateway, &keys, "/things/1");
        open_circuits(&gateway) == 2
    });
    for _ in 0..6 {
        let answer = gateway.get("/things/1", &keys.viewer);
        assert_eq!((answer.status, answer.body.as_str()), (200, "a"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_switched_off() {
    let (upstream, ill) = moody("a");
    ill.store(true, Ordering::Relaxed);
    let gateway = TestGateway::start(&config(&[upstream.address()], "false")).await;
    let keys = gateway.seed();
    for _ in 0..10 {
        assert_eq!(status(&gateway, &keys, "/things/1"), 502);
    }
    assert_eq!(upstream.received().len(), 10);
}
