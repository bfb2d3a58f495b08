//! Classes 11 and 20: methods.

use super::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn class_11_methods_that_are_no_requests_for_a_backend() {
    let bench = Bench::start().await;
    for line in [
        "CONNECT gw:443",
        "CONNECT /things/7",
        "TRACE /things/7",
        "TRACK7 /things/7",
        "get /things/7",
        "Get /things/7",
        "GE\u{7f}T /things/7",
    ] {
        bench.refused(line, 400, bench.viewer(line, ""));
    }
    for line in ["PURGE /things/7", "PROPFIND /things/7", "TRACK /things/7"] {
        let answer = bench.refused(line, 405, bench.viewer(line, ""));
        assert_eq!(answer.header("allow"), ["GET"], "{line}");
    }
    bench.passes("GET", bench.viewer("GET /things/7", ""));
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_20_head_and_options_only_where_listed() {
    let bench = Bench::start().await;
    let preflight = "Origin: http://x\r\nAccess-Control-Request-Method: GET\r\n";
    bench.refused("OPTIONS", 405, bench.viewer("OPTIONS /things/7", ""));
    bench.refused(
        "a preflight",
        405,
        bench.viewer("OPTIONS /things/7", preflight),
    );
    bench.refused("OPTIONS *", 400, bench.viewer("OPTIONS *", ""));
    let mut connection = bench.gateway.connect();
    connection.send(bench.viewer("HEAD /things/7", ""));
    let answer = connection.answer_to("HEAD").unwrap();
    assert_eq!(answer.status, 405);
    bench.remember(&answer);
    assert!(bench.upstream.received().is_empty());
    let seen = bench.passes("OPTIONS, listed", bench.viewer("OPTIONS /headed", ""));
    assert_eq!(seen.line(), "OPTIONS /headed HTTP/1.1");
    connection.send(bench.viewer("HEAD /headed", ""));
    let answer = connection.answer_to("HEAD").unwrap();
    assert_eq!(answer.status, 200);
    bench.remember(&answer);
    assert_eq!(bench.upstream.received()[1].line(), "HEAD /headed HTTP/1.1");
    bench.audited().await;
}
