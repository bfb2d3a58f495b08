//! Answers that could be read in two ways, or that nobody asked for: 502, or nothing of
//! them reaches anybody, least of all the next client on the same connection.

use std::io::{self, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::gateway::{Keys, TestGateway, yaml};
use crate::support::load;
use crate::support::upstream::{Received, Upstream, respond};

const ROUTES: &str = "
  - { route: \"GET|HEAD /ways/{way}\", upstream: app, permission: datasets:read }
  - { route: \"POST /ways/{way}\", upstream: app, permission: datasets:create }
";
/// What no client may ever see.
const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

fn way(request: &Received) -> &str {
    let target = request.line().split(' ').nth(1).unwrap();
    target.rsplit('/').next().unwrap()
}

fn ways(request: &Received, stream: &mut TcpStream) -> io::Result<()> {
    let closing = || Err(io::ErrorKind::ConnectionAborted.into());
    let head = "HTTP/1.1 200 OK\r\n";
    match way(request) {
        "two-lengths" => write!(
            stream,
            "{head}Content-Length: 2\r\nContent-Length: 9\r\n\r\nok"
        )?,
        "length-and-chunks" => write!(
            stream,
            "{head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        )?,
        "signed-length" => write!(stream, "{head}Content-Length: +2\r\n\r\nok")?,
        "odd-coding" => write!(
            stream,
            "{head}Transfer-Encoding: gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        )?,
        "bad-chunk" => write!(
            stream,
            "{head}Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"
        )?,
        "long-chunk" => write!(
            stream,
            "{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nok\r\n0\r\n\r\n"
        )?,
        "http-3" => write!(stream, "HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nok")?,
        "no-status" => write!(stream, "HTTP/1.1 \r\nContent-Length: 2\r\n\r\nok")?,
        "big-head" => {
            let line = format!("X-Big: {}\r\n", "x".repeat(64 << 10));
            write!(stream, "{head}")?;
            (0..64).try_for_each(|_| write!(stream, "{line}"))?;
        }
        "endless-head" => loop {
            write!(stream, "X-More: x\r\n")?;
        },
        "switch" => write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n{POISON}"
        )?,
        "interim-flood" => loop {
            write!(stream, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")?;
        },
        "interim" => {
            write!(stream, "HTTP/1.1 103 Early Hints\r\n\r\n")?;
            return respond(stream, "200 OK", b"ok");
        }
        "tail" => {
            stream.write_all(format!("{head}Content-Length: 2\r\n\r\nok{POISON}").as_bytes())?;
            return Ok(());
        }
        "tail-of-chunks" => {
            let text =
                format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{POISON}");
            stream.write_all(text.as_bytes())?;
            return Ok(());
        }
        "tail-of-head" => {
            stream.write_all(format!("{head}Content-Length: 6\r\n\r\npoison").as_bytes())?;
            return Ok(());
        }
        "tail-of-none" => {
            stream.write_all(format!("HTTP/1.1 204 No Content\r\n\r\n{POISON}").as_bytes())?;
            return Ok(());
        }
        _ => return respond(stream, "200 OK", way(request).as_bytes()),
    }
    closing()
}

async fn start() -> (Upstream, TestGateway, Keys) {
    let upstream = Upstream::with(ways);
    let yaml = yaml(upstream.address(), ROUTES).replace(
        "\" }",
        "\", circuit: false, timeouts: { connect: 1s, read: 1s } }",
    );
    let gateway = TestGateway::start(&yaml).await;
    let keys = gateway.seed();
    (upstream, gateway, keys)
}

/// Status, result and reason of each event.
async fn told(gateway: &TestGateway) -> Vec<Value> {
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let told = |event: &Value| json!([event["status"], event["result"], event["reason"]]);
    events.iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_is_502_once() {
    let (upstream, gateway, keys) = start().await;
    let ways = [
        "two-lengths",
        "signed-length",
        "odd-coding",
        "http-3",
        "no-status",
        "big-head",
        "endless-head",
        "switch",
    ];
    for tried in ways {
        for method in ["GET", "POST"] {
            let mut connection = gateway.connect();
            let key = if method == "GET" {
                &keys.viewer
            } else {
                &keys.editor
            };
            connection.send(load::request(method, &format!("/ways/{tried}"), key));
            let answer = connection.answer().unwrap();
            assert_eq!(answer.status, 502, "{method} {tried}: {answer:?}");
            assert!(!answer.body.contains("poison"));
            assert!(connection.is_closed(), "{tried}");
        }
    }
    let asked = upstream.received();
    for tried in &ways {
        let times = asked.iter().filter(|it| way(it) == *tried).count();
        assert_eq!(times, 2, "{tried} was asked for again");
    }
    let expected = json!([502, "failed", "upstream_broken"]);
    let told = told(&gateway).await;
    assert_eq!(told.len(), 2 * ways.len());
    assert!(told.iter().all(|it| *it == expected), "{told:?}");
}

/// A body that stops making sense: the head is out, so the client sees it cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read_is_cut() {
    let (_upstream, gateway, keys) = start().await;
    for way in ["bad-chunk", "long-chunk"] {
        let mut connection = gateway.connect();
        connection.send(load::request("GET", &format!("/ways/{way}"), &keys.viewer));
        let answer = connection.answer().unwrap();
        assert!(matches!(answer.status, 200 | 502), "{way}: {answer:?}");
        assert!(!answer.body.contains("ok"), "{way}: {answer:?}");
        assert!(connection.is_closed(), "{way}");
    }
    for told in told(&gateway).await {
        assert_eq!(told[2], "upstream_broken", "{told}");
    }
}

/// HOSTILE 43 and 47: what follows an answer belongs to nobody. The connection that it came
/// on serves no second client.
///
/// (In one piece: a backend that sends them a moment later, just when the next request goes
/// out on the connection, cannot be told from one that answers it.)
#[tokio::test(flavor = "multi_thread")]
async fn bytes_after_an_answer_reach_nobody() {
    let (_upstream, gateway, keys) = start().await;
    for way in ["tail", "tail-of-chunks", "tail-of-none", "tail-of-head"] {
        for round in 0..20 {
            let method = if way == "tail-of-head" { "HEAD" } else { "GET" };
            let mut first = gateway.connect();
            first.send(load::request(method, &format!("/ways/{way}"), &keys.viewer));
            let answer = first.answer_to(method).unwrap();
            assert!(matches!(answer.status, 200 | 204), "{way}: {answer:?}");
            assert!(!answer.body.contains("poison"), "{way}: {answer:?}");
            let next = gateway.get(&format!("/ways/next-{round}"), &keys.editor);
            assert_eq!(
                (next.status, next.body),
                (200, format!("next-{round}")),
                "after {way}"
            );
        }
    }
}

/// Interim answers without end keep nobody waiting for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_interim_answers_is_502() {
    let (_upstream, gateway, keys) = start().await;
    let mut connection = gateway.connect();
    connection.send(load::request("GET", "/ways/interim-flood", &keys.viewer));
    let mut answers = Vec::new();
    while answers.last().is_none_or(|status| *status == 103) {
        answers.push(connection.answer().unwrap().status);
    }
    assert_eq!(answers.pop(), Some(502));
    assert!(answers.len() < 64, "{}", answers.len());
    assert_eq!(
        told(&gateway).await,
        [json!([502, "failed", "upstream_broken"])]
    );
    let mut twin = gateway.connect();
    twin.send(load::request("GET", "/ways/interim", &keys.viewer));
    assert_eq!(twin.answer().unwrap().status, 103);
    assert_eq!(twin.answer().unwrap().body, "ok");
}
