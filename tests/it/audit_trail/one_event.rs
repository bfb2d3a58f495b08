//! One event, for every way in which a request can end.

use std::io::{self, Write as _};
use std::net::TcpStream;

use super::{recorded, told};
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::load;
use crate::support::upstream::{Received, Upstream, respond};

const ROUTES: &str = "
  - { route: \"GET|HEAD /ways/{way}\", upstream: app, permission: datasets:read, websocket: true }
  - { route: \"POST /ways/{way}\", upstream: app, permission: datasets:create }
  - { route: GET /fixed, respond: { status: 200, body: { ready: true } }, authenticated: true }
";

/// Never ends by itself: writes until the other side is gone.
fn endless(stream: &mut TcpStream) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
    )?;
    loop {
        stream.write_all(&[b'.'; 4096])?;
    }
}

fn ways(request: &Received, stream: &mut TcpStream) -> io::Result<()> {
    let (_, way) = request.line().split_once("/ways/").unwrap();
    match way.split(' ').next().unwrap() {
        "no-content" => write!(stream, "HTTP/1.1 204 No Content\r\n\r\n"),
        "not-modified" => write!(stream, "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n"),
        "head" => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        "chunked" => write!(
            stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n"
        ),
        "to-the-end" => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        "early-hints" => write!(
            stream,
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        ),
        "upgrade" => write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        ),
        "missing" => respond(stream, "404 Not Found", b"no"),
        "broken" => respond(stream, "500 Internal Server Error", b"no"),
        "endless" => endless(stream),
        "cut" => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        _ => respond(stream, "200 OK", b"ok"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_end_leaves_one_event() {
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    for (method, way, status) in [
        ("GET", "/ways/plain", 200),
        ("GET", "/ways/no-content", 204),
        ("GET", "/ways/not-modified", 304),
        ("HEAD", "/ways/head", 200),
        ("GET", "/ways/chunked", 200),
        ("GET", "/ways/to-the-end", 200),
        ("GET", "/ways/missing", 404),
        ("GET", "/ways/broken", 500),
        ("GET", "/ways/cut", 200),
        ("GET", "/fixed", 200),
        ("HEAD", "/none", 404),
        ("POST", "/ways/plain", 403),
    ] {
        let answer = gateway.request(method, way, &keys.viewer, "");
        assert_eq!(answer.status, status, "{method} {way}");
    }
    gateway.wait_for_audit();
    let events: Vec<_> = gateway.events().await.iter().map(told).collect();
    insta::assert_snapshot!(events.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interim_answer_is_no_end() {
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let mut connection = gateway.connect();
    connection.send(load::request("GET", "/ways/early-hints", &keys.viewer));
    let mut answer = connection.answer().unwrap();
    while answer.status == 103 {
        answer = connection.answer().unwrap();
    }
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    gateway.wait_for_audit();
    let events: Vec<_> = gateway.events().await.iter().map(told).collect();
    assert_eq!(events, ["GET|HEAD /ways/{way} | 200 | success | null"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_one_failed_event() {
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let mut reader = gateway.connect();
    reader.send(load::request("GET", "/ways/endless", &keys.viewer));
    assert!(!reader.some_bytes().is_empty());
    drop(reader);
    let mut writer = gateway.connect();
    writer.send(format!(
        "POST /ways/plain HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\nhalf",
        keys.editor
    ));
    let sent = || gateway.metric("portcullis_audit_sent_events");
    until("the reader's event", || sent() == 1);
    drop(writer);
    until("the writer's event", || sent() == 2);
    let events: Vec<_> = gateway.events().await.iter().map(told).collect();
    assert_eq!(
        events,
        [
            "GET|HEAD /ways/{way} | 200 | failed | client_closed",
            "POST /ways/{way} | null | failed | client_closed",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_leaves_its_event_when_it_is_granted() {
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let mut connection = gateway.connect();
    connection.send(format!(
        "GET /ways/upgrade HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        keys.viewer
    ));
    assert_eq!(connection.answer().unwrap().status, 101);
    gateway.wait_for_audit();
    assert_eq!(gateway.events().await.len(), 1, "while it is open");
    drop(connection);
    let in_flight = || gateway.metric("portcullis_requests_in_flight");
    until("the end of the upgrade", || in_flight() == 0);
    gateway.wait_for_audit();
    let events: Vec<_> = gateway.events().await.iter().map(told).collect();
    assert_eq!(events, ["GET|HEAD /ways/{way} | 101 | success | null"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_events_as_answers_under_load() {
    const CONNECTIONS: usize = 16;
    const EACH: usize = 125;
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let answers = load::send(&gateway, CONNECTIONS, EACH, |number| match number % 5 {
        0 => load::request("POST", "/ways/plain", &keys.editor),
        1 => load::request("POST", "/ways/plain", &keys.viewer),
        2 => load::request("GET", "/ways/chunked", &keys.viewer),
        3 => load::request("GET", "/fixed", &keys.stranger),
        _ => load::request("GET", "/ways/no-content", &keys.editor),
    });
    assert_eq!(answers.len(), CONNECTIONS * EACH);
    gateway.wait_for_audit();
    let mut answered = load::request_ids(&answers);
    answered.sort();
    assert_eq!(recorded(&gateway.events().await), answered);
    answered.dedup();
    assert_eq!(answered.len(), CONNECTIONS * EACH, "ids are unique");
}
