//! Down, slow, resetting, answering garbage: 502 or 504 once, in time, audited.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use portcullis::clock::Clock;
use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, yaml};
use crate::support::load;
use crate::support::raw::Answer;
use crate::support::upstream::{Received, Upstream, respond};

/// Routes to an upstream, with a dialect.
fn routes(errors: &str) -> String {
    format!(
        "
  - {{ route: \"GET /things/{{way}}\", upstream: app, permission: datasets:read, errors: {errors} }}
  - {{ route: \"POST /things/{{way}}\", upstream: app, permission: datasets:create, errors: {errors} }}
  - {{ route: GET /patient, upstream: app, permission: datasets:read, timeouts: {{ read: 30s }} }}
  - {{ route: GET /hasty, upstream: app, permission: datasets:read, timeouts: {{ read: 50ms }} }}
"
    )
}

/// Configuration of an upstream that gives up soon.
fn hasty(upstream: SocketAddr, errors: &str) -> String {
    yaml(upstream, &routes(errors))
        .replace("\" }", "\", timeouts: { connect: 300ms, read: 300ms } }")
}

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Ends the connection with a reset instead of a clean end.
fn reset(stream: &TcpStream) -> io::Result<()> {
    set_socket_linger(stream, Some(Duration::ZERO))?;
    Err(io::ErrorKind::ConnectionReset.into())
}

fn ways(request: &Received, stream: &mut TcpStream) -> io::Result<()> {
    let target = request.line().split(' ').nth(1).unwrap();
    match target.rsplit('/').next().unwrap() {
        "reset" => reset(stream),
        "close" => Err(io::ErrorKind::ConnectionAborted.into()),
        "half-header" => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Le")?;
            reset(stream)
        }
        "garbage" => {
            write!(stream, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n")?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        "half-body" => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
            reset(stream)
        }
        "half-chunked" => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
            )?;
            reset(stream)
        }
        // Until the gateway gives up and closes.
        "silent" | "hasty" => io::Read::read(stream, &mut [0]).map(drop),
        "stalled" => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
            io::Read::read(stream, &mut [0]).map(drop)
        }
        "patient" => {
            std::thread::sleep(Duration::from_millis(600));
            respond(stream, "200 OK", b"late")
        }
        _ => respond(stream, "200 OK", b"ok"),
    }
}

/// Status, result and reason of the only event.
async fn only_event(gateway: &TestGateway) -> Value {
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), 1, "{events:#?}");
    json!([
        events[0]["status"],
        events[0]["result"],
        events[0]["reason"]
    ])
}

/// An answer, and how many milliseconds it took.
fn timed(answer: impl FnOnce() -> Answer) -> (Answer, u128) {
    let clock = Clock::system();
    let start = clock.instant();
    let answer = answer();
    (answer, (clock.instant() - start).as_millis())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_down_is_502_in_its_own_dialect() {
    let gateway = TestGateway::start(&hasty(closed_port(), "mlflow")).await;
    let keys = gateway.seed();
    let answer = gateway.get("/things/1", &keys.viewer);
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["error_code"], "TEMPORARILY_UNAVAILABLE");
    assert_eq!(
        only_event(&gateway).await,
        json!([502, "failed", "upstream_broken"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_does_not_accept_is_504_within_the_connect_timeout() {
    // A backlog of one that is full: further connections get no answer at all.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _waiting: Vec<_> = std::iter::from_fn(|| {
        TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()
    })
    .collect();
    let gateway = TestGateway::start(&hasty(address, "openai")).await;
    let keys = gateway.seed();
    let (answer, millis) = timed(|| gateway.get("/things/1", &keys.viewer));
    assert_eq!(answer.status, 504);
    assert_eq!(answer.json()["error"]["type"], "server_error");
    assert!((300..2000).contains(&millis), "{millis} ms");
    assert_eq!(
        only_event(&gateway).await,
        json!([504, "failed", "upstream_timeout"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_backend_is_504_within_the_read_timeout_of_upstream_or_route() {
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&hasty(upstream.address(), "kserve")).await;
    let keys = gateway.seed();
    let (answer, millis) = timed(|| gateway.get("/things/silent", &keys.viewer));
    assert_eq!(answer.status, 504);
    assert_eq!(
        answer.json()["error"],
        "The backend did not answer in time."
    );
    assert!((300..2000).contains(&millis), "{millis} ms");
    assert_eq!(
        only_event(&gateway).await,
        json!([504, "failed", "upstream_timeout"])
    );
    let (answer, millis) = timed(|| gateway.get("/hasty", &keys.viewer));
    assert_eq!(answer.status, 504);
    assert!((50..290).contains(&millis), "{millis} ms");
    let patient = gateway.get("/patient", &keys.viewer);
    assert_eq!((patient.status, patient.body.as_str()), (200, "late"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_answer_is_502_and_sent_once() {
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&hasty(upstream.address(), "problem")).await;
    let keys = gateway.seed();
    for way in ["reset", "close", "half-header", "garbage"] {
        let answer = gateway.request("POST", &format!("/things/{way}"), &keys.editor, "{}");
        assert_eq!(answer.status, 502, "{way}");
        assert_eq!(answer.json()["code"], "upstream_broken", "{way}");
    }
    assert_eq!(upstream.received().len(), 4);
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), 4);
    for event in events {
        assert_eq!(event["result"], "failed");
        assert_eq!(event["reason"], "upstream_broken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_cut_and_failed() {
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&hasty(upstream.address(), "problem")).await;
    let keys = gateway.seed();
    for way in ["half-body", "half-chunked", "stalled"] {
        let mut connection = gateway.connect();
        connection.send(load::request(
            "GET",
            &format!("/things/{way}"),
            &keys.viewer,
        ));
        let answer = connection.answer().unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "half"),
            "{way}"
        );
        assert!(
            connection.is_closed(),
            "{way}: the client must see that it was cut"
        );
    }
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let told = events.iter().map(|event| {
        let word = |name: &str| event[name].to_string().replace('"', "");
        ["status", "result", "reason"].map(word).join(" ")
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "200 failed upstream_broken",
            "200 failed upstream_broken",
            "200 failed upstream_timeout"
        ]
    );
}

/// A kept connection that the backend closes under our hands is the one case in which a
/// proxy likes to send again. A write may have been carried out: never.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_never_sent_twice_not_even_on_a_reused_connection() {
    let upstream = Upstream::with(ways);
    let gateway = TestGateway::start(&hasty(upstream.address(), "problem")).await;
    let keys = gateway.seed();
    for body in ["", "{}"] {
        let before = upstream.received().len();
        assert_eq!(gateway.get("/things/ok", &keys.viewer).status, 200);
        let answer = gateway.request("POST", "/things/close", &keys.editor, body);
        assert_eq!(answer.status, 502);
        assert_eq!(upstream.received().len(), before + 2, "with body {body:?}");
    }
}
