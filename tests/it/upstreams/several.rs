//! Several addresses, several upstreams.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::upstream::{Upstream, respond};

/// A backend that tells its name and can be made to fail its health check.
fn named(name: &'static str) -> (Upstream, Arc<AtomicBool>) {
    let healthy = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&healthy);
    let upstream = Upstream::with(move |request, stream| {
        let ill = !state.load(Ordering::Relaxed);
        if request.line().contains("/health ") && ill {
            respond(stream, "503 Service Unavailable", b"")
        } else {
            respond(stream, "200 OK", name.as_bytes())
        }
    });
    (upstream, healthy)
}

fn config(addresses: &[SocketAddr], health: &str) -> String {
    format!(
        "upstreams:\n  app: {{ addresses: {addresses:?}, timeouts: {{ connect: 500ms }}, health: {health} }}\n\
         routes:\n  - {{ route: GET /name, upstream: app, permission: datasets:read }}\n"
    )
    .replace("[127", "[\"127")
    .replace(", 127", "\", \"127")
    .replace("], timeouts", "\"], timeouts")
}

/// Who answered a dozen requests, sorted.
fn answered(gateway: &TestGateway, keys: &Keys) -> Vec<String> {
    let ask = |_| gateway.get("/name", &keys.viewer).body;
    let mut names: Vec<String> = (0..12).map(ask).collect();
    names.sort();
    names.dedup();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn three_addresses_take_turns_and_an_ill_one_rests() {
    let backends = [named("a"), named("b"), named("c")];
    let addresses = backends.each_ref().map(|(upstream, _)| upstream.address());
    let health = "{ path: /health, interval: 100ms, timeout: 1s, unhealthy: 1 }";
    let gateway = TestGateway::start(&config(&addresses, health)).await;
    let keys = gateway.seed();
    let turns: Vec<_> = (0..6)
        .map(|_| gateway.get("/name", &keys.viewer).body)
        .collect();
    assert_eq!(turns[..3], turns[3..], "in turn");
    assert_eq!(answered(&gateway, &keys), ["a", "b", "c"]);
    backends[1].1.store(false, Ordering::Relaxed);
    until("b to rest", || answered(&gateway, &keys) == ["a", "c"]);
    backends[1].1.store(true, Ordering::Relaxed);
    until("b to be back", || {
        answered(&gateway, &keys) == ["a", "b", "c"]
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_address_is_taken_out_and_comes_back() {
    let (alive, _) = named("alive");
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = place.local_addr().unwrap();
    drop(place);
    let health = "{ interval: 100ms, timeout: 1s, unhealthy: 1 }";
    let gateway = TestGateway::start(&config(&[alive.address(), dead], health)).await;
    let keys = gateway.seed();
    until("the dead one to be out", || {
        answered(&gateway, &keys) == ["alive"]
    });
    let back = Upstream::on(TcpListener::bind(dead).unwrap(), |_, stream| {
        respond(stream, "200 OK", b"back")
    });
    until("it to be back", || {
        answered(&gateway, &keys) == ["alive", "back"]
    });
    assert_eq!(back.address(), dead);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_addresses_dead_it_is_502_then_503() {
    let places = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let dead = places.each_ref().map(|place| place.local_addr().unwrap());
    drop(places);
    let health = "{ interval: 100ms, timeout: 1s, unhealthy: 1 }";
    let gateway = TestGateway::start(&config(&dead, health)).await;
    let keys = gateway.seed();
    // As long as nobody knows, they are tried.
    let mut answer = gateway.get("/name", &keys.viewer);
    until("them to be known as dead", || {
        answer = gateway.get("/name", &keys.viewer);
        assert!(matches!(answer.status, 502 | 503), "{answer:?}");
        answer.status == 503
    });
    assert_eq!(answer.json()["code"], "upstream_unavailable");
    assert_eq!(answer.header("retry-after"), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_goes_to_its_own_upstream() {
    let ((first, _), (second, _)) = (named("first"), named("second"));
    let routes = "
  - { route: GET /one, upstream: app, permission: datasets:read }
  - { route: GET /two, upstream: other, permission: datasets:read }
";
    let other = format!(
        "upstreams:\n  other: {{ url: \"http://{}\" }}\n",
        second.address()
    );
    let config = yaml(first.address(), routes).replace("upstreams:\n", &other);
    let gateway = TestGateway::start(&config).await;
    let keys = gateway.seed();
    assert_eq!(gateway.get("/one", &keys.viewer).body, "first");
    assert_eq!(gateway.get("/two", &keys.viewer).body, "second");
}
