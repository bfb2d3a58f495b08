//! What follows a request that was refused: never another request.

use super::{Bench, bearer, request};

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
