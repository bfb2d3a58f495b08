//! Backends that drip, half-close, or answer before they have read: each has an end.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use portcullis::clock::Clock;
use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};

use crate::support::gateway::{Keys, TestGateway, yaml};
use crate::support::http2_peers::{self, Client};
use crate::support::load;
use crate::support::upstream::{Received, Upstream, respond};

const ROUTES: &str = "
  - { route: \"GET /ways/{way}\", upstream: app, permission: datasets:read }
  - { route: \"POST /ways/{way}\", upstream: app, permission: datasets:create }
";
/// Between two bytes; the gateway waits for `READ`.
const DRIP: Duration = Duration::from_millis(100);
const READ: Duration = Duration::from_millis(500);

fn drip(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    for byte in text.as_bytes() {
        stream.write_all(&[*byte])?;
        std::thread::sleep(DRIP);
    }
    Ok(())
}

fn ways(request: &Received, stream: &mut TcpStream) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    match request.line().split([' ', '/']).nth(3).unwrap() {
        "head" => loop {
            drip(stream, "HTTP/1.1 200 OK\r\nX-Drip: ")?;
            drip(stream, &"x".repeat(10_000))?;
        },
        "body" => {
            write!(stream, "{head}")?;
            drip(stream, "drip")
        }
        "half-closed" => {
            // No more requests will be read, but an answer comes.
            stream.shutdown(Shutdown::Read)?;
            write!(stream, "{head}fine")
        }
        "half-closed-early" => {
            stream.shutdown(Shutdown::Write)?;
            io::copy(stream, &mut io::sink()).map(drop)
        }
        "to-the-end" => {
            write!(stream, "HTTP/1.1 200 OK\r\n\r\nall of it")?;
            stream.shutdown(Shutdown::Write)?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        _ => respond(stream, "200 OK", b"ok"),
    }
}

async fn start(upstream: std::net::SocketAddr) -> (TestGateway, Keys) {
    let yaml = yaml(upstream, ROUTES).replace(
        "\" }",
        "\", circuit: false, timeouts: { connect: 500ms, read: 500ms, write: 500ms } }",
    );
    let yaml = format!("{yaml}\nlimits: {{ header_timeout: 1s }}\n");
    let gateway = TestGateway::start(&yaml).await;
    let keys = gateway.seed();
    (gateway, keys)
}

async fn told(gateway: &TestGateway) -> Vec<Value> {
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let told = |event: &Value| json!([event["status"], event["result"], event["reason"]]);
    events.iter().map(told).collect()
}

/// Each byte in time, yet never a head: the whole of it has a deadline, too, whatever the
/// client speaks.
#[tokio::test(flavor = "multi_thread")]
async fn a_dripping_head_ends_in_time() {
    let upstream = Upstream::with(ways);
    let (gateway, keys) = start(upstream.address()).await;
    let clock = Clock::system();
    let began = clock.instant();
    let answer = gateway.get("/ways/head", &keys.viewer);
    let took = clock.instant() - began;
    assert_eq!(answer.status, 504);
    assert!(took >= READ && took < 16 * READ, "{took:?}");
    let client = Client::connect(gateway.public()).await;
    let began = clock.instant();
    let request = http2_peers::request("GET", "/ways/head", &keys.viewer, &[]);
    let answer = client.call(request, b"").await.unwrap();
    let took = clock.instant() - began;
    assert_eq!(answer.status, 504);
    assert!(took >= READ && took < 16 * READ, "{took:?}");
    let expected = json!([504, "failed", "upstream_timeout"]);
    assert_eq!(told(&gateway).await, [expected.clone(), expected]);
}

/// The wait for an answer begins when the request is complete, however long that took.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_leaves_time_for_its_answer() {
    let upstream = Upstream::with(|_: &Received, stream: &mut TcpStream| {
        std::thread::sleep(READ / 2);
        respond(stream, "200 OK", b"ok")
    });
    let (gateway, keys) = start(upstream.address()).await;
    let mut connection = gateway.connect();
    // Longer than all that a head may take: connect, read and header_timeout.
    let body = "x".repeat(25);
    let length = body.len();
    connection.send(format!(
        "POST /ways/upload HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nContent-Length: {length}\r\n\r\n",
        keys.editor
    ));
    drip(&mut connection.sender(), &body).unwrap();
    assert_eq!(connection.answer().unwrap().status, 200);
}

/// A body may take its time, as long as something comes: it may be a stream of events.
#[tokio::test(flavor = "multi_thread")]
async fn a_dripping_body_passes_and_is_recorded_at_its_end() {
    let upstream = Upstream::with(ways);
    let (gateway, keys) = start(upstream.address()).await;
    let answer = gateway.get("/ways/body", &keys.viewer);
    assert_eq!((answer.status, answer.body.as_str()), (200, "drip"));
    assert_eq!(told(&gateway).await, [json!([200, "success", null])]);
    assert!(gateway.events().await[0]["latency"].as_u64().unwrap() > 300_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_closed_connections() {
    let upstream = Upstream::with(ways);
    let (gateway, keys) = start(upstream.address()).await;
    for (way, status, body) in [
        ("half-closed", 200, "fine"),
        ("to-the-end", 200, "all of it"),
        ("half-closed-early", 502, ""),
    ] {
        let answer = gateway.request("POST", &format!("/ways/{way}"), &keys.editor, "{}");
        assert_eq!(answer.status, status, "{way}");
        assert!(status != 200 || answer.body == body, "{way}: {answer:?}");
    }
    assert_eq!(
        told(&gateway).await,
        [
            json!([200, "success", null]),
            json!([200, "success", null]),
            json!([502, "failed", "upstream_broken"]),
        ]
    );
}

/// Reads a head and as much of the body as asked for.
fn read_some(stream: &TcpStream, body: usize) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut last = [0; 4];
    while &last != b"\r\n\r\n" {
        last.rotate_left(1);
        reader.read_exact(&mut last[3..])?;
    }
    reader.read_exact(&mut vec![0; body])
}

/// A backend that takes `body` bytes of a large body and then does `end`, once a connection.
fn impatient(body: usize, end: fn(&mut TcpStream) -> io::Result<()>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The other side may have gone: then there is nothing to end.
            std::thread::spawn(move || read_some(&stream, body).and_then(|()| end(&mut stream)));
        }
    });
    address
}

const LARGE: usize = 8 << 20;

/// The first answer to a large upload, however much of it was taken; `None` if the
/// connection ended instead.
fn upload(gateway: &TestGateway, keys: &Keys) -> Option<u16> {
    let mut connection = gateway.connect();
    let head = format!(
        "POST /ways/upload HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nContent-Length: {LARGE}\r\n\r\n",
        keys.editor
    );
    connection.send(head);
    connection.send(vec![b'x'; LARGE]);
    connection.answer().map(|answer| answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_in_the_midst_of_an_upload_is_502_once() {
    let backend = impatient(100_000, |stream| {
        Ok(set_socket_linger(&*stream, Some(Duration::ZERO))?)
    });
    let (gateway, keys) = start(backend).await;
    // The answer may be lost with the connection: the rest of the upload is not read.
    assert!(matches!(upload(&gateway, &keys), Some(502) | None));
    assert_eq!(
        told(&gateway).await,
        [json!([502, "failed", "upstream_broken"])]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_stops_reading_is_504_in_time() {
    let backend = impatient(10, |_| {
        std::thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    let (gateway, keys) = start(backend).await;
    let clock = Clock::system();
    let began = clock.instant();
    assert!(matches!(upload(&gateway, &keys), Some(504) | None));
    assert!(clock.instant() - began < 10 * READ);
    assert_eq!(
        told(&gateway).await,
        [json!([504, "failed", "upstream_timeout"])]
    );
}

/// A refusal that comes before the body was read gets through, and the rest of the body is
/// never taken for anything.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_body_was_read_passes() {
    let backend = impatient(10, |stream| {
        write!(
            stream,
            "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
        )?;
        stream.shutdown(Shutdown::Write)?;
        io::copy(stream, &mut io::sink()).map(drop)
    });
    let (gateway, keys) = start(backend).await;
    for _ in 0..5 {
        assert_eq!(upload(&gateway, &keys), Some(413));
    }
    let answers = load::send(&gateway, 1, 1, |_| {
        load::request("GET", "/ways/x", &keys.viewer)
    });
    assert_eq!(answers.len(), 1);
    let told = told(&gateway).await;
    assert_eq!(
        told[..5],
        [const { 0 }; 5].map(|_| json!([413, "failed", "upstream_413"]))
    );
}
