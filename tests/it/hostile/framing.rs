//! Where a request begins and ends: whatever two parsers could read in two ways.

use std::io::Write as _;

use super::{Bench, ROUTES, bearer, request};
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::upstream::Upstream;

impl Bench {
    /// A POST of the editor's with these fields, and what follows the head.
    fn post(&self, fields: &str, body: &str) -> String {
        let fields = format!("{}{fields}", bearer(&self.keys.editor));
        request("POST /things", &fields) + body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn class_1_a_length_is_digits_and_there_is_one() {
    let bench = Bench::start().await;
    for fields in [
        "Content-Length: +3\r\n",
        "Content-Length: 3,3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3\r\ncontent-length: 3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3 \u{b}\r\n",
        "Content-Length: \r\n",
        "Content-Length: 3.0\r\n",
        "Content-Length: 99999999999999999999\r\n",
    ] {
        bench.refused(fields, 400, bench.post(fields, "abc"));
    }
    let seen = bench.passes("a length", bench.post("Content-Length: 3\r\n", "abc"));
    assert_eq!(seen.body, b"abc");
    let padded = bench.post("content-length:\t003 \r\n", "abc");
    let seen = bench.passes("the same length", padded);
    assert_eq!(seen.body, b"abc");
    assert_eq!(seen.header("content-length"), ["3"], "in its one spelling");
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_2_a_length_and_chunks_are_refused() {
    let bench = Bench::start().await;
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    for fields in [
        "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "transfer-encoding: Chunked\r\nX-Other: y\r\ncontent-length: 0\r\n",
    ] {
        bench.refused(fields, 400, bench.post(fields, chunks));
    }
    let chunked = bench.post("Transfer-Encoding: chunked\r\n", chunks);
    assert_eq!(bench.passes("chunks alone", chunked).body, b"abc");
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_3_a_transfer_encoding_is_chunked_once() {
    let bench = Bench::start().await;
    for fields in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        "Transfer-Encoding:\r\n",
    ] {
        bench.refused(fields, 400, bench.post(fields, "0\r\n\r\n"));
    }
    let seen = bench.passes(
        "chunked in any case",
        bench.post("transfer-encoding: CHUNKED \r\n", "0\r\n\r\n"),
    );
    assert_eq!(seen.body, b"");
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_4_http_1_0_has_no_chunks_and_no_second_request() {
    let bench = Bench::start().await;
    let key = bearer(&bench.keys.editor);
    let old =
        |line: &str, fields: &str| format!("{line} HTTP/1.0\r\nHost: gw\r\n{key}{fields}\r\n");
    let chunked = old("POST /things", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n";
    bench.refused("chunks", 400, chunked);
    let tail = old("GET /runs/get", "");
    for fields in ["", "Connection: keep-alive\r\n"] {
        let before = bench.upstream.received().len();
        let mut connection = bench.gateway.connect();
        connection.send(old("POST /things", fields) + &tail);
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, 200);
        bench.remember(&answer);
        assert!(connection.is_closed(), "the tail is never parsed");
        let seen = &bench.upstream.received()[before..];
        assert_eq!(seen.len(), 1, "{seen:#?}");
        assert_eq!(seen[0].line(), "POST /things HTTP/1.1");
        assert!(seen[0].body.is_empty());
    }
    let sized = old("POST /things", "Content-Length: 3\r\n") + "abc";
    assert_eq!(bench.passes("a length", sized).body, b"abc");
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_8_chunks_have_one_reading() {
    let bench = Bench::start().await;
    for body in [
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nGET /runs/get HTTP/1.1\r\nHost: gw\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let raw = bench.post("Transfer-Encoding: chunked\r\n", body);
        bench.refused(body, 400, raw);
    }
    for body in [
        "3\r\nabc\r\n0\r\n\r\n",
        "3;ext=\"a b\"\r\nabc\r\n0\r\n\r\n",
        "1\r\na\r\n2\r\nbc\r\n0\r\nX-Trailer: y\r\n\r\n",
        "0003\r\nabc\r\n00\r\n\r\n",
    ] {
        let raw = bench.post("Transfer-Encoding: chunked\r\n", body);
        let seen = bench.passes(body, raw);
        assert_eq!(seen.body, b"abc", "{body}");
        assert!(!seen.head.contains("X-Trailer"));
    }
    bench.audited().await;
}

/// Chunks that turn out malformed when the request is on its way already: the backend
/// never sees the end of it, and the connection never carries another.
#[tokio::test(flavor = "multi_thread")]
async fn class_8_chunks_that_break_off_late() {
    let bench = Bench::start().await;
    let mut connection = bench.gateway.connect();
    connection.send(bench.post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"));
    until("the backend to see the head", || {
        bench.upstream.begun() == 1
    });
    connection.send("+3\r\nabc\r\n0\r\n\r\n");
    let answer = connection.answer().unwrap();
    assert_eq!(answer.status, 400);
    bench.remember(&answer);
    assert!(connection.is_closed());
    assert!(
        bench.upstream.received().is_empty(),
        "a whole request arrived"
    );
    let events = bench.audited().await;
    assert_eq!(events[0]["reason"], "client_body");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_9_lines_and_fields_are_strict() {
    let bench = Bench::start().await;
    let key = bearer(&bench.keys.viewer);
    let bare = |text: &str| text.replace("\r\n", "\n");
    let good = bench.viewer("GET /things/7", "X-Some: y\r\n");
    bench.refused("bare line feeds", 400, bare(&good));
    let (head, _) = good.split_at(good.len() - 2);
    bench.refused("a bare line feed at the end", 400, format!("{head}\n"));
    let (line, fields) = good.split_once("\r\n").unwrap();
    bench.refused("one bare line feed", 400, format!("{line}\n{fields}"));
    for fields in [
        "X-Some: a\r\n folded\r\n",
        "X-Some: a\r\n\tfolded\r\n",
        " X-Some: a\r\n",
        "X-Some : a\r\n",
        "X-Some\t: a\r\n",
        "X Some: a\r\n",
        "X-Some: a\0b\r\n",
        "X-Some: a\rb\r\n",
        "X-Some: \x1b[31m\r\n",
        "X-Some: \x7f\r\n",
        "X-Some\r\n",
        ": a\r\n",
        "X-S\u{f6}me: a\r\n",
        "X-Some: a\r\r\n",
    ] {
        bench.refused(fields, 400, bench.viewer("GET /things/7", fields));
    }
    for line in [
        "GET  /things/7",
        "GET\t/things/7",
        " GET /things/7",
        "GET /things/7 ",
        "GET /things/a b",
        "GET /things/7 HTTP/1.1 GET /closed",
        "GET /things/\u{f6}",
        "GET /things/\x01",
        "G(T /things/7",
        "GET",
        "",
    ] {
        bench.refused(line, 400, bench.viewer(line, ""));
    }
    for version in [
        "HTTP/2.0",
        "HTTP/1.2",
        "HTTP/0.9",
        "http/1.1",
        "HTTP/1.1x",
        "HTTP/01.1",
    ] {
        let raw = format!("GET /things/7 {version}\r\nHost: gw\r\n{key}\r\n");
        bench.refused(version, 400, raw);
    }
    bench.passes(
        "legal text",
        bench.viewer("GET /things/7", "Accept: \u{f6}\t, a/b \r\nDNT:\r\n"),
    );
    let late = format!("\r\n\r\n{}", bench.viewer("GET /things/7", ""));
    bench.passes("empty lines before a request", late);
    bench.audited().await;
}

/// A backend that does not read it takes it for the next request.
#[tokio::test(flavor = "multi_thread")]
async fn a_method_without_a_body_has_none() {
    let bench = Bench::start().await;
    let inner = bench.viewer("GET /things/inner", "");
    let announced = format!("Content-Length: {}\r\n", inner.len());
    let chunked = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    for line in ["GET /things/7", "OPTIONS /headed", "GET /open"] {
        bench.refused(line, 400, bench.viewer(line, &announced) + &inner);
        let raw = bench.viewer(line, "Transfer-Encoding: chunked\r\n") + &chunked;
        bench.refused(line, 400, raw);
        bench.passes(line, bench.viewer(line, "Content-Length: 0\r\n"));
    }
    let events = bench.audited().await;
    let reasons = events
        .iter()
        .filter(|event| event["reason"] == "unexpected_body");
    assert_eq!(reasons.count(), 6);
}

/// What the front takes for a target and the HTTP library does not: that refusal is
/// recorded as well.
#[tokio::test(flavor = "multi_thread")]
async fn targets_that_are_no_uri_leave_their_event() {
    let bench = Bench::start().await;
    let targets = [
        "/things/7?a\"b",
        "/<>",
        "/`{|}^\\`",
        "http:///",
        "http://[::1/x",
        "http://gw:99999/x",
    ];
    for target in targets {
        let answer = bench
            .gateway
            .raw(bench.viewer(&format!("GET {target}"), ""));
        assert_eq!(answer.unwrap().status, 400, "{target}");
    }
    assert!(bench.upstream.received().is_empty());
    bench.gateway.wait_for_audit();
    assert_eq!(bench.gateway.events().await.len(), targets.len());
}

/// The connection's end is the body's end: chunks are not known (RFC 9112 §6.1).
#[tokio::test(flavor = "multi_thread")]
async fn class_4_http_1_0_is_answered_without_chunks() {
    let upstream = Upstream::with(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    });
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    for (version, encodings) in [("1.0", 0), ("1.1", 1)] {
        let mut connection = gateway.connect();
        connection.send(format!(
            "GET /open HTTP/{version}\r\nHost: gw\r\nConnection: close\r\n\r\n"
        ));
        let answer = connection.answer().unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "ok"),
            "{version}"
        );
        assert_eq!(answer.header("transfer-encoding").len(), encodings);
        assert!(connection.is_closed());
    }
}

/// Requests sent ahead are answered in turn: each is judged by itself.
#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_one_after_the_other() {
    let bench = Bench::start().await;
    let mut connection = bench.gateway.connect();
    let lines = [
        "GET /things/1",
        "GET /none",
        "POST /things",
        "GET /things/4",
    ];
    let raw: String = lines
        .iter()
        .map(|line| {
            let fields = bearer(&bench.keys.editor);
            if line.starts_with("POST") {
                request(line, &format!("{fields}Transfer-Encoding: chunked\r\n"))
                    + "3\r\nabc\r\n0\r\n\r\n"
            } else {
                request(line, &fields)
            }
        })
        .collect();
    connection.send(raw);
    for status in [200, 404, 200, 200] {
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, status);
        bench.remember(&answer);
    }
    let seen: Vec<_> = bench
        .upstream
        .received()
        .iter()
        .map(|r| r.line().to_owned())
        .collect();
    assert_eq!(
        seen,
        [
            "GET /things/1 HTTP/1.1",
            "POST /things HTTP/1.1",
            "GET /things/4 HTTP/1.1"
        ]
    );
    bench.audited().await;
}
