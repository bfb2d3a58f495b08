//! Bodies that decide: read strictly, and forwarded as they were understood.

use serde_json::{Value, json};

use super::House;
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

#[tokio::test(flavor = "multi_thread")]
async fn long_bodies_pass_with_a_length_and_short_ones_in_chunks() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    let padded = |length: usize| json!({"id": "mine", "x": "y".repeat(length)}).to_string();
    for length in [
        1,
        60 << 10,
        65_500,
        64 << 10,
        70 << 10,
        128 << 10,
        200_000,
        (1 << 20) - 100,
    ] {
        assert_eq!(house.log_json(&padded(length)).status, 200, "{length}");
        let seen = house.platform.upstream.received().pop().unwrap();
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(body["x"].as_str().unwrap().len(), length);
        assert_eq!(body["project"], "fraud");
    }
    assert_eq!(house.log_json(&padded(1 << 20)).status, 413);
    let chunked = |body: &str| {
        let head = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        let mut chunks = Vec::new();
        for part in body.as_bytes().chunks(1000) {
            chunks.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            chunks.extend_from_slice(part);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        house.log(head, &chunks).status
    };
    assert_eq!(chunked(&padded(50_000)), 200);
    let seen = house.platform.upstream.received().pop().unwrap();
    assert!(seen.header("transfer-encoding").is_empty());
    assert_eq!(seen.header("content-length"), [seen.body.len().to_string()]);
    assert_eq!(chunked(&padded(70_000)), 411);
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
