//! WebSocket where a route allows it, and nowhere else.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use crate::support::gateway::{Keys, TestGateway, yaml};
use crate::support::upstream::{Received, Upstream, respond};

const ROUTES: &str = "
  - { route: GET /live, upstream: app, permission: datasets:read, websocket: true }
  - { route: GET /plain, upstream: app, permission: datasets:read }
";
/// Key and accept value of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Shakes hands if it is asked to, then echoes bytes until the end.
fn echo(request: &Received, stream: &mut TcpStream) -> io::Result<()> {
    if request.header("upgrade") != ["websocket"] {
        return respond(stream, "200 OK", b"no upgrade");
    }
    assert_eq!(request.header("sec-websocket-key"), [KEY]);
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    )?;
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => stream.write_all(&bytes[..read])?,
        }
    }
}

fn handshake(target: &str, keys: &Keys, upgrade: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n{upgrade}\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n",
        keys.viewer
    )
}

const UPGRADE: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
/// A masked text frame, `Hello` (RFC 6455 §5.7).
const FRAME: [u8; 11] = [
    0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
];

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_route_upgrades_and_carries_both_ways() {
    let upstream = Upstream::with(echo);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let mut connection = gateway.connect();
    connection.send(handshake("/live", &keys, UPGRADE));
    let answer = connection.answer().unwrap();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), [ACCEPT]);
    assert_eq!(
        upstream.only().header("x-forwarded-email"),
        ["viewer@example.com"]
    );
    for _ in 0..3 {
        connection.send(FRAME);
        let mut echoed = Vec::new();
        while echoed.len() < FRAME.len() {
            let more = connection.some_bytes();
            assert!(!more.is_empty(), "the connection closed");
            echoed.extend(more);
        }
        assert_eq!(echoed, FRAME);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_not_allowed_or_not_whole_is_stripped() {
    let upstream = Upstream::with(echo);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    for (target, upgrade) in [
        ("/plain", UPGRADE),
        ("/live", "Connection: Upgrade\r\nUpgrade: h2c\r\n"),
        ("/live", "Upgrade: websocket\r\n"),
        ("/live", "Connection: Upgrade\r\n"),
    ] {
        let answer = gateway.raw(handshake(target, &keys, upgrade)).unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "no upgrade"),
            "{upgrade}"
        );
    }
    for seen in upstream.received() {
        assert!(seen.header("upgrade").is_empty(), "{}", seen.head);
        assert!(seen.header("sec-websocket-key").is_empty(), "{}", seen.head);
    }
}

/// HOSTILE 5: bytes after the handshake are the client's frames only if the backend
/// agreed. Else they could be a request that nobody looked at.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_sent_before_the_upgrade_is_granted_are_withheld_if_it_is_not() {
    let upstream = Upstream::with(|_, stream| respond(stream, "200 OK", b"no"));
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let smuggled = "GET /secret HTTP/1.1\r\nHost: gw\r\n\r\n";
    let mut connection = gateway.connect();
    connection.send(handshake("/live", &keys, UPGRADE) + smuggled);
    assert_eq!(connection.answer().unwrap().status, 200);
    // What follows is refused as a request of its own, or never looked at.
    if let Some(answer) = connection.answer() {
        assert_eq!(answer.status, 401);
    }
    assert_eq!(upstream.only().line(), "GET /live HTTP/1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_without_the_permission_never_starts() {
    let upstream = Upstream::with(echo);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let anonymous = format!("GET /live HTTP/1.1\r\nHost: gw\r\n{UPGRADE}\r\n");
    assert_eq!(gateway.raw(anonymous).unwrap().status, 401);
    assert!(upstream.received().is_empty());
}
