//! Class 27: no credential of ours is ever seen again.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Bench, ROUTES, request};
use crate::support::gateway::TestGateway;
use crate::support::upstream::Upstream;

const NOWHERE: &str = "
  - route: GET /nowhere
    upstream: nowhere
    permission: datasets:read
identity:";

#[tokio::test(flavor = "multi_thread")]
async fn class_27_a_key_is_in_no_log_no_answer_no_metric_no_event_and_not_at_the_backend() {
    let bench = traced().await;
    let key = bench.keys.viewer.clone();
    let basic = STANDARD.encode(format!("someone:{key}"));
    let secret = &key[key.len() - 49..key.len() - 6];
    let mut answers = String::new();
    let mut statuses = Vec::new();
    for credential in [
        format!("Authorization: Bearer {key}\r\n"),
        format!("Authorization: Basic {basic}\r\n"),
        format!("X-Portcullis-Key: {key}\r\n"),
        // The checksum is wrong, the secret is not.
        format!("Authorization: Bearer {}\r\n", &key[..key.len() - 1]),
        format!("Cookie: __Host-portcullis={key}; portcullis-dev={key}\r\n"),
        format!("Proxy-Authorization: Bearer {key}\r\n"),
        format!("X_Portcullis_Key: {key}\r\n"),
        format!("Authorization: Bearer {key}\r\nX-Portcullis-Key: {key}\r\n"),
    ] {
        for raw in [
            request("GET /things/7", &credential),
            request("GET /open", &credential),
            request(
                "POST /things",
                &format!("{credential}Content-Length: 2\r\n"),
            ) + "{}",
            request("GET /nowhere", &credential),
            request("GET /none", &credential),
            request("GET /a/../b", &credential),
            request("GET /things/7", &format!("{credential}Host: two\r\n")),
            request("GET /things/7", &format!("{credential}No colon\r\n")),
            request("GET /things/7", &format!("{credential}Nul: \0\r\n")),
            request("G\u{e9}T /things/7", &credential),
            request(
                "GET /things/7",
                &format!("{credential}Connection: host\r\n"),
            ),
        ] {
            let answer = bench.gateway.raw(raw).unwrap();
            statuses.push(answer.status);
            write!(answers, "{answer:?}").unwrap();
            bench.remember(&answer);
        }
    }
    for status in [200, 400, 401, 403, 404, 502] {
        assert!(statuses.contains(&status), "{status}: {statuses:?}");
    }
    bench.gateway.wait_for_audit();
    let log = bench.gateway.log();
    assert!(
        log.contains("\"level\":\"DEBUG\""),
        "the log tells all it can: {log}"
    );
    let heads: String = bench
        .upstream
        .received()
        .iter()
        .map(|seen| seen.head.clone())
        .collect();
    let metrics = bench.gateway.private_get("/metrics").body;
    let spool = files(&bench.gateway.spool_dir());
    let events = bench.audited().await;
    let events = serde_json::to_string(&events).unwrap();
    for (place, text) in [
        ("the log", &log),
        ("an answer", &answers),
        ("the backend", &heads),
        ("the metrics", &metrics),
        ("the spool", &spool),
        ("an audit event", &events),
    ] {
        assert!(
            !text.is_empty() || place == "the spool",
            "nothing in {place}"
        );
        for needle in [secret, &basic[20..60]] {
            let at = text.find(needle);
            assert_eq!(at, None, "{place}: {}", around(text, at));
        }
    }
}

/// Some bytes around a place, for the message of a failure.
fn around(text: &str, at: Option<usize>) -> String {
    let start = at.unwrap_or_default().saturating_sub(200);
    text.chars().skip(start).take(400).collect()
}

/// A gateway that logs all that it can, with a backend that is not there.
async fn traced() -> Bench {
    let upstream = Upstream::ok();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let routes = ROUTES.replace("\nidentity:", NOWHERE);
    let yaml = format!(
        "upstreams:\n  app: {{ url: \"http://{}\" }}\n  nowhere: {{ url: \"http://{closed}\" }}\n\
         routes:\n{routes}",
        upstream.address()
    );
    let mut gateway = TestGateway::prepare(&yaml).await;
    let text = std::fs::read_to_string(gateway.config()).unwrap();
    std::fs::write(
        gateway.config(),
        text.replace("level: info", "level: trace"),
    )
    .unwrap();
    gateway.launch();
    Bench::around(upstream, gateway)
}

/// Everything below a directory, as far as it is text.
fn files(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &files(&path);
        } else {
            all += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
        }
    }
    all
}
