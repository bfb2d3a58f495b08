//! Upgrades: what becomes of a stream that was meant to change.

use std::io::Write as _;

use super::{Bench, request};
use crate::support::gateway::{TestGateway, yaml};
use crate::support::upstream::{Upstream, respond};

const ROUTES: &str = r#"
  - route: GET /socket
    upstream: app
    public: "for a test"
    websocket: true
  - route: GET /plain
    upstream: app
    public: "for a test"
"#;
const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn around(upstream: Upstream) -> Bench {
    let text = yaml(upstream.address(), ROUTES) + "limits: { header_timeout: 1s }\n";
    let gateway = TestGateway::start(&text).await;
    Bench::around(upstream, gateway)
}

/// Bytes sent ahead of the backend's consent are no tunnel, and no request either.
#[tokio::test(flavor = "multi_thread")]
async fn class_5_bytes_sent_early_are_withheld() {
    let bench = around(Upstream::ok()).await;
    let inner = request("GET /smuggled", "");
    for after in [inner.as_str(), "\u{81}\x05hello", "\0\0\0"] {
        let before = bench.upstream.received().len();
        let mut connection = bench.gateway.connect();
        connection.send(request("GET /socket", WEBSOCKET) + after);
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, 200, "the backend did not agree");
        bench.remember(&answer);
        // What came early is judged as a request: it is none, or none of the stranger's.
        let answer = connection.answer();
        assert!(
            answer
                .as_ref()
                .is_none_or(|it| matches!(it.status, 400 | 401 | 408)),
            "{answer:?}"
        );
        if let Some(answer) = &answer {
            bench.remember(answer);
        }
        let seen = &bench.upstream.received()[before..];
        assert_eq!(seen.len(), 1, "{seen:#?}");
    }
    bench.audited().await;
}

/// The twin: once the backend agrees, what came early is the tunnel's first bytes.
#[tokio::test(flavor = "multi_thread")]
async fn class_5_a_tunnel_carries_what_was_sent_early() {
    let upstream = Upstream::with(|_, stream| {
        stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        )?;
        let mut echo = stream.try_clone()?;
        std::io::copy(stream, &mut echo)?;
        Ok(())
    });
    let bench = around(upstream).await;
    let mut connection = bench.gateway.connect();
    connection.send(request("GET /socket", WEBSOCKET) + "early ");
    let answer = connection.answer().unwrap();
    assert_eq!(answer.status, 101);
    connection.send("late");
    let mut echoed = Vec::new();
    while echoed.len() < "early late".len() {
        let more = connection.some_bytes();
        assert!(!more.is_empty(), "closed after {echoed:?}");
        echoed.extend(more);
    }
    assert_eq!(echoed, b"early late");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_6_an_upgrade_that_nobody_allowed_is_stripped() {
    let bench = around(Upstream::ok()).await;
    for (line, fields) in [
        ("GET /plain", WEBSOCKET),
        (
            "GET /plain",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        ),
        (
            "GET /socket",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        ),
        (
            "GET /socket",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        ),
        (
            "GET /socket",
            "Connection: keep-alive\r\nUpgrade: websocket\r\n",
        ),
        ("GET /socket", "Connection: upgrade\r\n"),
    ] {
        let seen = bench.passes(fields, request(line, fields));
        for name in [
            "upgrade",
            "connection",
            "http2-settings",
            "sec-websocket-key",
        ] {
            assert!(
                seen.header(name).is_empty(),
                "{line} {fields}: {}",
                seen.head
            );
        }
    }
    let seen = bench.passes("a websocket", request("GET /socket", WEBSOCKET));
    assert_eq!(seen.header("upgrade"), ["websocket"]);
    assert_eq!(seen.header("connection"), ["upgrade"]);
    bench.audited().await;
}

/// A backend that switches protocols without being asked is broken.
#[tokio::test(flavor = "multi_thread")]
async fn class_6_a_backend_cannot_switch_by_itself() {
    let upstream = Upstream::with(|received, stream| {
        if received.line().contains("/plain") {
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\n\r\nGET /\r\n")
        } else {
            respond(stream, "200 OK", b"ok")
        }
    });
    let bench = around(upstream).await;
    for fields in ["", WEBSOCKET] {
        let mut connection = bench.gateway.connect();
        connection.send(request("GET /plain", fields));
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, 502, "{fields}");
        bench.remember(&answer);
        assert!(connection.is_closed());
    }
    bench.audited().await;
}
