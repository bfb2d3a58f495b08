//! A kept connection that is dead: a safe request goes out once more, any other does not.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::gateway::{TestGateway, yaml};
use crate::support::upstream::{Received, Upstream, respond};

const ROUTES: &str = "
  - { route: \"GET|HEAD|OPTIONS|PUT|DELETE|POST /things/{way}\", upstream: app, permission: \"datasets:read\" }
";

/// Answers the first request of a connection; hangs up on the second, unanswered. `broken`
/// hangs up on a fresh connection, too.
fn once_a_connection() -> Upstream {
    let served = AtomicUsize::new(0);
    let ports = std::sync::Mutex::new(std::collections::HashSet::new());
    Upstream::with(move |request: &Received, stream: &mut TcpStream| {
        served.fetch_add(1, Ordering::Relaxed);
        let is_first = ports.lock().unwrap().insert(stream.peer_addr()?);
        if !is_first || request.line().contains("/broken") {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if request.line().starts_with("HEAD ") {
            return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        }
        respond(stream, "200 OK", b"ok")
    })
}

fn request(method: &str, target: &str, key: &str, body: &str) -> String {
    let length = body.len();
    let length = match body {
        "" => String::new(),
        _ => format!("Content-Length: {length}\r\n"),
    };
    format!(
        "{method} {target} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n{length}\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_safe_request_without_a_body_goes_out_again() {
    let upstream = once_a_connection();
    let gateway =
        TestGateway::start(&format!("{}\nworkers: 1", yaml(upstream.address(), ROUTES))).await;
    let keys = gateway.seed();
    for (method, body, again) in [
        ("GET", "", true),
        ("HEAD", "", true),
        ("OPTIONS", "", true),
        ("PUT", "x", false),
        ("PUT", "", false),
        ("DELETE", "", false),
        ("POST", "x", false),
        ("POST", "", false),
    ] {
        // So that a connection is kept.
        assert_eq!(gateway.get("/things/warm-up", &keys.viewer).status, 200);
        let before = upstream.received().len();
        let mut connection = gateway.connect();
        connection.send(request(method, "/things/1", &keys.viewer, body));
        let status = connection.answer_to(method).unwrap().status;
        let sent = upstream.received().len() - before;
        let expected = if again { (200, 2) } else { (502, 1) };
        assert_eq!((status, sent), expected, "{method} {body:?}");
        if again {
            // Uses up what was kept.
            let mut last = gateway.connect();
            last.send(request("POST", "/things/1", &keys.viewer, "x"));
            assert_eq!(last.answer().unwrap().status, 502);
        }
    }
    assert_eq!(
        gateway.metric("portcullis_upstream_retries_total{upstream=\"app\"}"),
        3
    );
    gateway.wait_for_audit();
    assert_eq!(
        gateway.events().await.len(),
        8 + 8 + 3,
        "one event a request, however often it was sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_connection_that_breaks_is_not_tried_again() {
    let upstream = once_a_connection();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    assert_eq!(gateway.get("/things/broken", &keys.viewer).status, 502);
    assert_eq!(upstream.received().len(), 1);
}
