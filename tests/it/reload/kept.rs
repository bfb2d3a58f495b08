//! What a reload does not touch: connections and health of an upstream that stayed.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use crate::support::gateway::{TestGateway, until};
use crate::support::upstream::{Upstream, respond};

/// A backend that tells its connections apart: each has a thread of its own.
fn counting() -> (Upstream, Arc<Mutex<Vec<ThreadId>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let upstream = Upstream::with(move |_, stream| {
        log.lock().unwrap().push(std::thread::current().id());
        respond(stream, "200 OK", b"ok")
    });
    (upstream, seen)
}

fn yaml(upstream: &str, more: &str) -> String {
    format!(
        "workers: 1\nupstreams:\n  app: {upstream}\n{more}routes:\n\
         \x20 - {{ route: GET /, upstream: app, permission: datasets:read }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn pooled_connections() {
    let (upstream, connections) = counting();
    let app = format!("{{ url: 'http://{}' }}", upstream.address());
    let gateway = TestGateway::start(&yaml(&app, "")).await;
    let keys = gateway.seed();
    for other in ["", "  other: { url: 'http://127.0.0.1:1' }\n", ""] {
        assert_eq!(gateway.get("/", &keys.viewer).status, 200);
        gateway.reconfigure(&yaml(&app, other));
    }
    assert_eq!(gateway.get("/", &keys.viewer).status, 200);
    let connections = connections.lock().unwrap();
    assert_eq!(connections.len(), 4);
    assert!(connections.iter().all(|id| *id == connections[0]));
}

/// A backend with a count of its health checks.
fn checked() -> (Upstream, Arc<AtomicUsize>) {
    let checks = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&checks);
    let upstream = Upstream::with(move |request, stream| {
        if request.line().contains("/health") {
            count.fetch_add(1, Ordering::Relaxed);
        }
        respond(stream, "200 OK", b"ok")
    });
    (upstream, checks)
}

fn with_checks(upstream: &Upstream, every: &str) -> String {
    let address = upstream.address();
    format!("{{ url: 'http://{address}', health: {{ path: /health, interval: {every} }} }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_its_checks() {
    let (upstream, checks) = checked();
    let count = || checks.load(Ordering::Relaxed);
    let hourly = with_checks(&upstream, "1h");
    let gateway = TestGateway::start(&yaml(&hourly, "")).await;
    until("the first check", || count() == 1);
    let (other, other_checks) = checked_often();
    for _ in 0..3 {
        gateway.reconfigure(&yaml(&hourly, &other));
    }
    // The checks of the other go on all the time, so one of this would have come.
    until("checks of another upstream", || {
        other_checks.load(Ordering::Relaxed) > 5
    });
    assert_eq!(count(), 1, "what did not change was checked anew");
    gateway.reconfigure(&yaml(&with_checks(&upstream, "59m"), ""));
    until("the check of a changed one", || count() == 2);
}

/// An upstream called `other` that is checked all the time, and the count.
fn checked_often() -> (String, Arc<AtomicUsize>) {
    let (upstream, checks) = checked();
    let yaml = format!("  other: {}\n", with_checks(&upstream, "100ms"));
    (yaml, checks)
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_of_an_upstream_that_is_gone_end() {
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let app = format!("{{ url: 'http://{}' }}", nowhere.local_addr().unwrap());
    let ((first, first_checks), (second, second_checks)) = (checked_often(), checked_often());
    let count = |checks: &AtomicUsize| checks.load(Ordering::Relaxed);
    let gateway = TestGateway::start(&yaml(&app, &first)).await;
    until("checks", || count(&first_checks) > 1);
    gateway.reconfigure(&yaml(&app, &second));
    // The provisioner may still hold the old rules for a moment.
    until("checks of the new", || count(&second_checks) > 10);
    let before = count(&first_checks);
    until("more of them", || count(&second_checks) > 30);
    assert_eq!(count(&first_checks), before);
}
