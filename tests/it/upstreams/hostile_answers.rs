//! Answers that could be read in two ways, or that nobody asked for: 502, or nothing of
//! them reaches anybody, least of all the next client on the same connection.

mod tables;

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use self::tables::{CLEAN, NO_ANSWERS, NO_HEADS};
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
    if let Some(answer) = tables::of(way(request)) {
        // In one piece; and the connection stays.
        return stream.write_all(answer.as_bytes());
    }
    match way(request) {
        "big-head" => {
            let line = format!("X-Big: {}\r\n", "x".repeat(64 << 10));
            write!(stream, "{head}")?;
            (0..64).try_for_each(|_| write!(stream, "{line}"))?;
        }
        "many-fields" => {
            let fields = "X-A: b\r\n".repeat(257);
            return stream.write_all(format!("{head}{fields}\r\n").as_bytes());
        }
        "bad-second-chunk" => {
            write!(
                stream,
                "{head}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
            )?;
            // So that it comes by itself, when the first is out.
            std::thread::sleep(Duration::from_millis(100));
            return write!(stream, "0x6\r\npoison\r\n0\r\n\r\n");
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
        "interim-ours" => {
            write!(
                stream,
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Portcullis-Principal: evil\r\nX-Request-Id: \
                 evil\r\nSet-Cookie: __Host-portcullis=evil\r\nSet-Cookie: theirs=1\r\n\r\n"
            )?;
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
    let tables = NO_HEADS.iter().chain(NO_ANSWERS).map(|(name, _)| *name);
    let more = ["big-head", "many-fields", "endless-head", "switch"];
    let ways: Vec<_> = tables.chain(more).collect();
    for tried in &ways {
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
            // The connection that it came on serves nobody any more.
            let next = gateway.get("/ways/next", key);
            assert_eq!((next.status, &*next.body), (200, "next"), "after {tried}");
        }
    }
    let asked = upstream.received();
    for tried in &ways {
        let times = asked.iter().filter(|it| way(it) == *tried).count();
        assert_eq!(times, 2, "{tried} was asked for again");
    }
    let expected = json!([502, "failed", "upstream_broken"]);
    let told = told(&gateway).await;
    assert_eq!(told.len(), 4 * ways.len());
    let failed: Vec<_> = told.iter().filter(|it| it[0] != 200).collect();
    assert_eq!(failed, vec![&expected; 2 * ways.len()]);
}

/// A body that stops making sense: the head is out, so the client sees it cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read_is_cut() {
    let (_upstream, gateway, keys) = start().await;
    let mut connection = gateway.connect();
    let target = "/ways/bad-second-chunk";
    connection.send(load::request("GET", target, &keys.viewer));
    let answer = connection.answer().unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "ok"));
    assert!(connection.is_closed());
    let expected = json!([200, "failed", "upstream_broken"]);
    assert_eq!(told(&gateway).await, [expected]);
}

/// What is odd, but has one meaning, arrives in the words of the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn an_odd_answer_with_one_meaning_is_framed_anew() {
    let (upstream, gateway, keys) = start().await;
    let mut connection = gateway.connect();
    for (name, method, _, (status, body)) in CLEAN {
        connection.send(load::request(
            method,
            &format!("/ways/{name}"),
            &keys.viewer,
        ));
        let answer = connection.answer_to(method).unwrap();
        assert_eq!((answer.status, &*answer.body), (*status, *body), "{name}");
        let (length, coding) = (
            answer.header("content-length"),
            answer.header("transfer-encoding"),
        );
        let framing = match *name {
            "extension" => (vec![], vec!["chunked"]),
            "padded-length" => (vec!["002"], vec![]),
            "unchanged" | "head" => (vec!["9"], vec![]),
            "none" | "unchanged-chunks" | "head-of-chunks" => (vec![], vec![]),
            _ => (vec!["2"], vec![]),
        };
        let coding: Vec<_> = coding.iter().map(|it| it.to_ascii_lowercase()).collect();
        let coding: Vec<_> = coding.iter().map(String::as_str).collect();
        assert_eq!((length, coding), framing, "{name}");
        // On the same connection: each of them ended where the gateway said.
        connection.send(load::request("GET", "/ways/next", &keys.viewer));
        assert_eq!(connection.answer().unwrap().body, "next", "after {name}");
    }
    assert_eq!(upstream.received().len(), 2 * CLEAN.len());
}

/// HOSTILE 43 and 47: what follows an answer belongs to nobody. The connection that it came
/// on serves no second client.
/// (In one piece. Those that come later are in `late_bytes.rs`.)
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
            for key in [&keys.viewer, &keys.editor] {
                let next = gateway.get(&format!("/ways/next-{round}"), key);
                assert_eq!(
                    (next.status, next.body),
                    (200, format!("next-{round}")),
                    "after {way}"
                );
            }
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

/// What the gateway alone says it says alone, in whatever answer; who knows no interim answers gets
/// none.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_ours_comes_in_an_interim_answer_and_none_to_http_1_0() {
    let (_upstream, gateway, keys) = start().await;
    let request = load::request("GET", "/ways/interim-ours", &keys.viewer);
    let mut connection = gateway.connect();
    connection.send(&request);
    let interim = connection.answer().unwrap();
    assert_eq!(
        (interim.status, interim.header("link")),
        (103, vec!["</a>"])
    );
    assert_eq!(interim.header("set-cookie"), ["theirs=1"]);
    for name in ["x-portcullis-principal", "x-request-id"] {
        assert!(interim.header(name).is_empty(), "{interim:?}");
    }
    assert_eq!(connection.answer().unwrap().body, "ok");
    for expect in ["", "Expect: 100-continue\r\n"] {
        let old = request.replacen("HTTP/1.1\r\n", &format!("HTTP/1.0\r\n{expect}"), 1);
        let answer = gateway.raw(old).unwrap();
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{expect}");
    }
}
