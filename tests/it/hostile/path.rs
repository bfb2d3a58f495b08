//! Classes 14, 15, 17 and 18: paths.

use super::{Bench, bearer};

#[tokio::test(flavor = "multi_thread")]
async fn class_14_paths_that_two_parsers_could_read_in_two_ways() {
    let bench = Bench::start().await;
    for (what, path) in [
        ("..", &b"/things/../whoami"[..]),
        (".. at the end", b"/things/.."),
        ("%2e%2e", b"/things/%2e%2e/whoami"),
        (".%2E", b"/things/.%2E/whoami"),
        (".", b"/things/./7"),
        ("//", b"/things//7"),
        ("// at the start", b"//things/7"),
        ("/..;/", b"/things/..;/whoami"),
        (";params", b"/things/7;v=1"),
        ("%3b", b"/things/7%3bv=1"),
        ("\\", b"/things/..\\whoami"),
        ("%5c", b"/things/..%5cwhoami"),
        ("%2F in a segment", b"/things/a%2Fb"),
        ("%2f in a segment", b"/things/..%2fwhoami"),
        ("%00", b"/things/7%00"),
        ("%0d%0a", b"/things/7%0d%0aX-Evil:%201"),
        ("%zz", b"/things/%zz"),
        ("% cut off", b"/things/7%2"),
        ("double encoding", b"/things/%252e%252e"),
        ("double encoding of the digits", b"/things/%25%32%65"),
        ("overlong UTF-8", b"/things/%c0%ae"),
        ("invalid UTF-8", b"/things/%ff"),
        ("raw bytes that are no UTF-8", b"/things/\xff"),
        ("raw UTF-8", "/things/\u{e9}".as_bytes()),
        ("#", b"/things/7#/../closed"),
        ("# before the path", b"/#/things/7"),
        ("# in the query", b"/things/7?x#y"),
        ("%23", b"/things/7%23"),
    ] {
        let mut raw = [b"GET ", path, b" HTTP/1.1\r\nHost: gw\r\n"].concat();
        raw.extend(bearer(&bench.keys.viewer).into_bytes());
        raw.extend(b"\r\n");
        bench.refused(what, 400, raw);
    }
    for (what, path, forwarded) in [
        ("a plain path", "/things/7", "/things/7"),
        ("an encoded letter", "/%74hings/7", "/things/7"),
        ("%72uns", "/%72uns/get", "/runs/get"),
        ("dots inside a segment", "/things/a..b.", "/things/a..b."),
        ("an encoded blank", "/things/a%20b", "/things/a%20b"),
        ("UTF-8", "/things/caf%c3%a9", "/things/caf%C3%A9"),
        ("a percent sign", "/things/100%25", "/things/100%25"),
        ("a colon", "/things/a:b@2", "/things/a:b@2"),
        (
            "dots in the query",
            "/things/7?x=%2e%2e%2f",
            "/things/7?x=../",
        ),
        (
            "; in the query",
            "/things/7?x=1;y=2",
            "/things/7?x=1%3By%3D2",
        ),
        ("%23 in the query", "/things/7?x=%23", "/things/7?x=%23"),
    ] {
        let seen = bench.passes(what, bench.viewer(&format!("GET {path}"), ""));
        assert_eq!(seen.line(), format!("GET {forwarded} HTTP/1.1"), "{what}");
    }
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_15_targets_that_are_no_path_of_this_host() {
    let bench = Bench::start().await;
    for target in [
        "?x=1",
        "*",
        "things/7",
        "gw/things/7",
        "gw:80",
        "http://other/things/7",
        "http://other:80/things/7",
        "http://gw@other/things/7",
        "http://other@gw/things/7",
        "http://gw\\@other/things/7",
        "http:///things/7",
        "http:/things/7",
        "http://gw",
        "ftp://gw/things/7",
        "file:///things/7",
        "//gw/things/7",
    ] {
        bench.refused(target, 400, bench.viewer(&format!("GET {target}"), ""));
    }
    for (target, forwarded) in [
        ("http://gw/things/7?x=1", "/things/7?x=1"),
        ("https://gw/things/7", "/things/7"),
        ("/things/7?x=1", "/things/7?x=1"),
    ] {
        let seen = bench.passes(target, bench.viewer(&format!("GET {target}"), ""));
        assert_eq!(seen.line(), format!("GET {forwarded} HTTP/1.1"));
    }
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_17_other_paths_and_queries_never_help_to_match() {
    let bench = Bench::start().await;
    for target in [
        "/Things/7",
        "/THINGS/7",
        "/%54hings/7",
        "/things/7/",
        "/things/7/more",
        "/whoamI",
        "/?/things/7",
        "/none?/things/7",
        "/none?path=/things/7",
        "/none/?/../things/7",
    ] {
        bench.refused(target, 404, bench.viewer(&format!("GET {target}"), ""));
    }
    let seen = bench.passes("the route", bench.viewer("GET /things/7?/closed", ""));
    assert_eq!(seen.line(), "GET /things/7?/closed HTTP/1.1");
    bench.audited().await;
}

/// There is no rewriting by configuration yet; what is rewritten is the spelling.
#[tokio::test(flavor = "multi_thread")]
async fn class_18_the_path_is_rewritten_before_the_decision() {
    let bench = Bench::start().await;
    for target in ["/closed", "/%63losed", "/clos%65%64?x=1"] {
        bench.refused(target, 403, bench.viewer(&format!("GET {target}"), ""));
    }
    let seen = bench.passes("the neighbour", bench.viewer("GET /%77hoami", ""));
    assert_eq!(seen.line(), "GET /whoami HTTP/1.1");
    bench.audited().await;
}
