//! Bodies that decide: read strictly, and forwarded as they were understood.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::{House, yaml};
use crate::support::gateway::TestGateway;
use crate::support::platform::Platform;
use crate::support::raw::Answer;

impl House {
    fn log(&self, head: &str, body: &[u8]) -> Answer {
        let mut request = format!(
            "POST /log HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n{head}\r\n",
            self.keys.editor
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.gateway.raw(request).unwrap()
    }

    fn log_json(&self, body: &str) -> Answer {
        let length = body.len();
        let head = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        self.log(&head, body.as_bytes())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_two_readings_is_refused_before_the_backend_hears_of_it() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    house.make(&house.keys.stranger, r#"{"id":"other"}"#);
    let begun = house.platform.upstream.begun();
    for body in [
        r#"{"id":"mine","id":"other"}"#,
        r#"{"id":"mine","a":{"b":1,"b":2}}"#,
        r#"{"id":"mine"} {}"#,
        "\u{feff}{\"id\":\"mine\"}",
        r#""{\"id\":\"mine\"}""#,
        r#"{"id":NaN}"#,
        r#"{"id":["mine"]}"#,
        r#"{"id":{"a":"mine"}}"#,
        r#"{"id":true}"#,
        r#"{"id":1.0}"#,
        r#"{"id":" mine"}"#,
        r#"{"id":"007"}"#,
        r#"{"id":"mine","dataset_id":"other"}"#,
        "{}",
        "",
    ] {
        assert_eq!(house.log_json(body).status, 400, "{body}");
    }
    let deep = format!(
        r#"{{"id":"mine","x":{}{}}}"#,
        "[".repeat(70),
        "]".repeat(70)
    );
    assert_eq!(house.log_json(&deep).status, 400);
    let typed = |kind: &str| {
        let body = r#"{"id":"mine"}"#;
        let head = format!("{kind}Content-Length: {}\r\n", body.len());
        house.log(&head, body.as_bytes()).status
    };
    for kind in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ] {
        assert_eq!(typed(kind), 415, "{kind}");
    }
    assert_eq!(
        house
            .log_json(r#"{"id":"mine","runs":[],"tags":["secret"]}"#)
            .status,
        403
    );
    assert_eq!(house.log_json(r#"{"id":"other"}"#).status, 404);
    assert_eq!(house.platform.upstream.begun(), begun, "not one request");
    assert_eq!(
        house.log_json(r#"{"id":"mine","tags":["open"]}"#).status,
        200
    );
    assert_eq!(
        typed("Content-Type: application/json; charset=UTF-8\r\n"),
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backend_gets_what_was_understood_and_what_the_route_sets() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    let sent =
        r#"{ "n" : 1.50, "id" :"mine", "big": 12345678901234567890123, "project": "other" }"#;
    let answer = house.log_json(sent);
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = house.platform.upstream.received().pop().unwrap();
    let text = String::from_utf8(seen.body.clone()).unwrap();
    assert_eq!(
        text,
        r#"{"n":1.50,"id":"mine","big":12345678901234567890123,"project":"fraud"}"#
    );
    assert_eq!(seen.header("x-team"), ["acme"]);
    assert_eq!(seen.header("content-length"), [text.len().to_string()]);
}

/// A body of exactly so many bytes.
pub(super) fn of(length: usize) -> String {
    let bare = json!({"id": "mine", "x": ""}).to_string();
    json!({"id": "mine", "x": "y".repeat(length - bare.len())}).to_string()
}

/// Up to 1 MiB, and around what Pingora keeps of a body.
pub(super) const LENGTHS: [usize; 7] = [
    100,
    (64 << 10) - 1,
    64 << 10,
    (64 << 10) + 1,
    200_000,
    (1 << 20) - 1,
    1 << 20,
];

fn chunked(body: &str, size: usize) -> Vec<u8> {
    let mut chunks = Vec::new();
    for part in body.as_bytes().chunks(size) {
        chunks.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        chunks.extend_from_slice(part);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    chunks
}

const CHUNKED: &str = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_up_to_their_limit_however_they_are_framed() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    let passed = |sent: &str| {
        let seen = house.platform.upstream.received().pop().unwrap();
        assert!(seen.header("transfer-encoding").is_empty());
        assert_eq!(seen.header("content-length"), [seen.body.len().to_string()]);
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let sent: Value = serde_json::from_str(sent).unwrap();
        assert_eq!(body["x"], sent["x"]);
        assert_eq!(body["project"], "fraud");
    };
    for length in LENGTHS {
        let body = of(length);
        assert_eq!(house.log_json(&body).status, 200, "{length}");
        passed(&body);
        for size in [1000, 70_000, 2 << 20] {
            let status = house.log(CHUNKED, &chunked(&body, size)).status;
            assert_eq!(status, 200, "{length} in chunks of {size}");
            passed(&body);
        }
    }
    let begun = house.platform.upstream.begun();
    let body = of((1 << 20) + 1);
    assert_eq!(house.log_json(&body).status, 413);
    for size in [1000, 2 << 20] {
        assert_eq!(house.log(CHUNKED, &chunked(&body, size)).status, 413);
    }
    assert_eq!(house.platform.upstream.begun(), begun, "not one request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backend_hears_of_a_body_only_when_all_of_it_has_come() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    let begun = house.platform.upstream.begun();
    let head = format!(
        "POST /log HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n{CHUNKED}\r\n",
        house.keys.editor
    );
    let body = chunked(&of(150_000), 1000);
    let (last, rest) = body.split_last().unwrap();
    let mut slow = house.gateway.connect();
    slow.send(&head);
    for piece in rest.chunks(10_000) {
        slow.send(piece);
    }
    let mut unfinished = house.gateway.connect();
    unfinished.send(&head);
    unfinished.send(&body[..100_000]);
    let half = unfinished.sender();
    half.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(unfinished.is_closed());
    assert_eq!(house.platform.upstream.begun(), begun);
    slow.send([*last]);
    assert_eq!(slow.answer().unwrap().status, 200);
    assert_eq!(house.platform.upstream.begun(), begun + 1);
    // And the connection serves on.
    slow.send(&head);
    slow.send(&body);
    assert_eq!(slow.answer().unwrap().status, 200);
    house.gateway.wait_for_audit();
    let events = house.gateway.events().await;
    let broken = events.iter().filter(|event| event["result"] == "failed");
    assert_eq!(broken.count(), 1, "{events:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_address_refuses_the_connection_the_body_goes_to_the_next() {
    let platform = Platform::start();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap();
    let (dead, alive) = (refusing.local_addr().unwrap(), platform.address());
    drop(refusing);
    let config = yaml(&platform).replace(
        &format!("url: \"http://{alive}\""),
        &format!("addresses: [\"{dead}\", \"{alive}\"], health: {{ interval: 1h }}"),
    );
    let gateway = TestGateway::start(&config).await;
    let keys = gateway.seed();
    let made = gateway.request("POST", "/datasets", &keys.editor, r#"{"id":"mine"}"#);
    assert_eq!(made.status, 200, "{made:?}");
    for length in [0, 100, 100_000, 1 << 20] {
        let (target, body) = match length {
            0 => ("/note", String::new()),
            _ => ("/log", of(length)),
        };
        let answer = gateway.request("POST", target, &keys.editor, &body);
        assert_eq!(answer.status, 200, "{length}: {answer:?}");
        let seen = platform.upstream.received().pop().unwrap();
        let seen: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(seen["project"], "fraud", "{length}");
    }
    let retries = "portcullis_upstream_retries_total{upstream=\"app\"}";
    assert!(gateway.metric(retries) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_after_an_inspected_body() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    let connections = house.platform.upstream.connections();
    for _ in 0..5 {
        assert_eq!(house.log_json(&of(1000)).status, 200);
    }
    assert!(house.platform.upstream.connections() <= connections + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_to_be_told_so_is_told_to_go_on() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    let body = r#"{"id":"mine"}"#;
    let mut connection = house.gateway.connect();
    connection.send(format!(
        "POST /log HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nExpect: 100-continue\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        house.keys.editor,
        body.len()
    ));
    assert_eq!(connection.answer().unwrap().status, 100);
    connection.send(body);
    assert_eq!(connection.answer().unwrap().status, 200);
    let seen = house.platform.upstream.received().pop().unwrap();
    assert!(seen.header("expect").is_empty());
}
