//! What Pingora makes of bytes before there is a request: lines that are none, tails
//! that are none.

use super::{Bench, bearer, request};

/// Pingora escapes what is illegal in a target. That is one path with an encoded
/// blank, for the decision and for the backend alike, never two.
#[tokio::test(flavor = "multi_thread")]
async fn a_blank_in_a_target_is_part_of_one_path() {
    let bench = Bench::start().await;
    let seen = bench.passes("a blank", bench.viewer("GET /things/a b", ""));
    assert_eq!(seen.line(), "GET /things/a%20b HTTP/1.1");
    let smuggled = "GET /things/7 HTTP/1.1 GET /closed";
    bench.refused("a line in a line", 400, bench.viewer(smuggled, ""));
    let seen = bench.passes("a last blank", bench.viewer("GET /things/7 ", ""));
    assert_eq!(seen.line(), "GET /things/7%20 HTTP/1.1");
    for line in ["GET  /things/7", "GET\t/things/7", " GET /things/7"] {
        bench.refused(line, 400, bench.viewer(line, ""));
    }
    bench.audited().await;
}

/// Class 7.
#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_refused_request_is_never_a_request() {
    let bench = Bench::start().await;
    let inner = bench.viewer("GET /things/inner", "");
    let key = bearer(&bench.keys.viewer);
    let length = inner.len();
    for (what, status, raw) in [
        (
            "a body",
            403,
            request(
                "POST /things",
                &format!("{key}Content-Length: {length}\r\n"),
            ) + &inner,
        ),
        (
            "a body cut off",
            403,
            request(
                "POST /things",
                &format!("{key}Content-Length: {}\r\n", length + 1),
            ) + &inner,
        ),
        (
            "a body nobody waited for",
            401,
            request(
                "POST /things",
                &format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"),
            ) + &inner,
        ),
        (
            "a malformed request",
            400,
            request(
                "POST /a/../b",
                &format!("{key}Content-Length: {length}\r\n"),
            ) + &inner,
        ),
        (
            "a malformed request without a body",
            400,
            request("GET /a/../b", &key) + &inner,
        ),
    ] {
        let mut connection = bench.gateway.connect();
        connection.send(raw);
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, status, "{what}");
        bench.remember(&answer);
        assert!(connection.is_closed(), "{what}");
    }
    let mut connection = bench.gateway.connect();
    for (id, status) in [("/none", 404), ("/things/next", 200)] {
        connection.send(bench.viewer(&format!("GET {id}"), ""));
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, status, "without a body the connection stays");
        bench.remember(&answer);
    }
    let seen = bench.upstream.only();
    assert_eq!(seen.line(), "GET /things/next HTTP/1.1");
    bench.audited().await;
}

/// Classes 1 to 3, as far as they hold already.
#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_length_is_refused() {
    let bench = Bench::start().await;
    let post = |fields: &str, body: &str| {
        let fields = format!("{}{fields}", bearer(&bench.keys.editor));
        request("POST /things", &fields) + body
    };
    for fields in [
        "Content-Length: +3\r\n",
        "Content-Length: 3,3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3 \u{b}\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
    ] {
        bench.refused(fields, 400, post(fields, "abc"));
    }
    let seen = bench.passes("a length", post("Content-Length: 3\r\n", "abc"));
    assert_eq!(seen.body, b"abc");
    let chunks = post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(bench.passes("chunks", chunks).body, b"abc");
    bench.audited().await;
}
