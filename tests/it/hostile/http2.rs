//! HTTP/2: the same policy, and what only its framing can get wrong.

use super::{Bench, ROUTES};
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, HEADERS, Http2, block, request,
};
use crate::support::upstream::Upstream;

/// `PROTOCOL_ERROR` (RFC 9113 §7).
const PROTOCOL_ERROR: u32 = 1;

type Fields<'a> = Vec<(&'a str, &'a str)>;

impl Bench {
    fn http2(&self) -> Http2 {
        Http2::open(self.gateway.public())
    }

    /// On a connection of its own: what becomes of a request with these fields besides the
    /// pseudo fields, and a body.
    fn fate(&self, pseudo: &[(&str, &str)], more: &[(&str, &str)], body: Option<&[u8]>) -> Fate {
        let mut connection = self.http2();
        let fields: Fields<'_> = [pseudo, more].concat();
        connection.headers(1, &fields, body.is_none());
        if let Some(body) = body {
            connection.frame(DATA, END_STREAM, 1, body);
        }
        connection.fate(1)
    }
}

fn get(path: &str) -> Fields<'_> {
    pseudo("GET", path)
}

fn pseudo<'a>(method: &'a str, path: &'a str) -> Fields<'a> {
    request(method, path).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_the_same() {
    let bench = Bench::start().await;
    let viewer = format!("Bearer {}", bench.keys.viewer);
    let key = [("authorization", viewer.as_str())];
    for (request, more, status) in [
        (get("/things/7"), &key[..], 200),
        (get("/open"), &[][..], 200),
        (get("/things/7"), &[][..], 401),
        (get("/closed"), &key[..], 403),
        (get("/none"), &key[..], 404),
        (pseudo("POST", "/things"), &key[..], 403),
        (pseudo("DELETE", "/things/7"), &key[..], 405),
    ] {
        let fate = bench.fate(&request, more, None);
        assert_eq!(fate, Fate::Answered(status), "{request:?}");
    }
    let editor = format!("Bearer {}", bench.keys.editor);
    let fields = [("authorization", editor.as_str()), ("content-length", "3")];
    let fate = bench.fate(&pseudo("POST", "/things"), &fields, Some(b"abc"));
    assert_eq!(fate, Fate::Answered(200));
    let fate = bench.fate(&pseudo("POST", "/things"), &fields[..1], Some(b"abc"));
    assert_eq!(fate, Fate::Answered(200), "without a length");
    let seen = bench.upstream.received();
    let lines: Vec<_> = seen
        .iter()
        .map(|seen| (seen.line(), seen.body.len()))
        .collect();
    assert_eq!(
        lines,
        [
            ("GET /things/7 HTTP/1.1", 0),
            ("GET /open HTTP/1.1", 0),
            ("POST /things HTTP/1.1", 3),
            ("POST /things HTTP/1.1", 3),
        ]
    );
    for seen in &seen {
        assert_eq!(seen.header("x-forwarded-host"), ["gw"]);
        assert!(seen.header("authorization").is_empty());
    }
    bench.gateway.wait_for_audit();
    assert_eq!(bench.gateway.events().await.len(), 9, "one event a request");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_10_what_could_become_another_request_is_reset() {
    let bench = Bench::start().await;
    let editor = format!("Bearer {}", bench.keys.editor);
    let key = ("authorization", editor.as_str());
    let post = pseudo("POST", "/things");
    for more in [
        &[("content-length", "3"), ("content-length", "4")][..],
        &[("content-length", "+3")],
        &[("content-length", "3, 4")],
        &[("connection", "close")],
        &[("connection", "x-portcullis-tenant")],
        &[("transfer-encoding", "chunked")],
        &[("upgrade", "websocket")],
        &[("keep-alive", "1")],
        &[("proxy-connection", "1")],
        &[("te", "gzip")],
        &[("x-some", "a\r\nX-Forwarded-User: evil")],
        &[("x-some", "a\nb")],
        &[("x-some", "a\rb")],
        &[("x-some", "a\0b")],
        &[("X-Some", "a")],
        &[("x some", "a")],
        &[("x-some:", "a")],
        &[("", "a")],
        &[(":path", "/open")],
        &[(":unknown", "a")],
    ] {
        let fields = [&[key], more].concat();
        let fate = bench.fate(&post, &fields, Some(b"abc"));
        assert!(
            matches!(fate, Fate::Reset(_) | Fate::Closed | Fate::Answered(400)),
            "{more:?}: {fate:?}"
        );
    }
    for path in [
        "/open\r\nHost: evil",
        "/open\n",
        "/open\0",
        "/open HTTP/1.1",
        "",
        "open",
        "*",
    ] {
        let fate = bench.fate(&get(path), &[], None);
        assert!(
            matches!(fate, Fate::Reset(_) | Fate::Closed | Fate::Answered(400)),
            "{path:?}: {fate:?}"
        );
    }
    assert!(
        bench.upstream.received().is_empty(),
        "something reached the backend"
    );
    // The twin: the same fields where they are legal.
    let fields = [
        key,
        ("content-length", "3"),
        ("te", "trailers"),
        ("accept", "a, b"),
    ];
    assert_eq!(
        bench.fate(&post, &fields, Some(b"abc")),
        Fate::Answered(200)
    );
    assert_eq!(bench.upstream.only().body, b"abc");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_without_a_body_has_none_over_http2() {
    let bench = Bench::start().await;
    for more in [&[][..], &[("content-length", "3")]] {
        let fate = bench.fate(&get("/open"), more, Some(b"abc"));
        assert_eq!(fate, Fate::Answered(400), "{more:?}");
    }
    assert!(bench.upstream.received().is_empty());
    assert_eq!(bench.fate(&get("/open"), &[], None), Fate::Answered(200));
}

/// Others may be busy on the connection: the stream alone is given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_is_given_up() {
    let bench = Bench::with("limits: { idle: 1s }\n").await;
    let editor = format!("Bearer {}", bench.keys.editor);
    let post = [
        pseudo("POST", "/things"),
        vec![("authorization", editor.as_str())],
    ]
    .concat();
    let mut connection = bench.http2();
    connection.headers(1, &post, false);
    connection.frame(DATA, 0, 1, b"abc");
    let fate = connection.fate(1);
    assert!(matches!(fate, Fate::Reset(_) | Fate::Closed), "{fate:?}");
    until("its place to be free", || {
        bench.gateway.metric("portcullis_requests_in_flight") == 0
    });
    assert!(
        bench.upstream.received().is_empty(),
        "a whole request arrived"
    );
    let mut connection = bench.http2();
    connection.headers(1, &post, false);
    connection.frame(DATA, 0, 1, b"abc");
    connection.frame(DATA, END_STREAM, 1, b"def");
    assert_eq!(connection.fate(1), Fate::Answered(200));
    assert_eq!(bench.upstream.only().body, b"abcdef");
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let reasons: Vec<_> = events
        .iter()
        .map(|event| event["reason"].as_str())
        .collect();
    assert_eq!(reasons, [Some("client_closed"), None]);
}

/// A length that is not the body's: the backend never sees a whole request, and its
/// connection carries nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn class_10_a_length_is_the_bodys() {
    let bench = Bench::start().await;
    let editor = format!("Bearer {}", bench.keys.editor);
    for (length, body) in [("3", "abcd"), ("4", "abc"), ("0", "a"), ("3", "")] {
        let fields = [
            ("authorization", editor.as_str()),
            ("content-length", length),
        ];
        let fate = bench.fate(&pseudo("POST", "/things"), &fields, Some(body.as_bytes()));
        assert_ne!(fate, Fate::Answered(200), "{length} {body}");
    }
    // A length of nothing is whole as soon as it is announced: what follows is reset.
    let seen = bench.upstream.received();
    assert!(
        seen.iter()
            .all(|seen| seen.header("content-length") == ["0"]),
        "{seen:#?}"
    );
    let fields = [("authorization", editor.as_str()), ("content-length", "3")];
    let fate = bench.fate(&pseudo("POST", "/things"), &fields, Some(b"abc"));
    assert_eq!(fate, Fate::Answered(200));
    let seen = bench.upstream.received();
    assert!(seen.iter().any(|seen| seen.body == b"abc"), "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_11_connect_is_refused_in_every_form() {
    let bench = Bench::start().await;
    let admin = format!("Bearer {}", bench.keys.admin);
    let key = ("authorization", admin.as_str());
    for fields in [
        vec![(":method", "CONNECT"), (":authority", "gw:80"), key],
        vec![
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "gw"),
            (":path", "/open"),
            key,
        ],
        [pseudo("TRACE", "/open"), vec![key]].concat(),
        [pseudo("get", "/open"), vec![key]].concat(),
        [pseudo("PATCH", "/open"), vec![key]].concat(),
    ] {
        let mut connection = bench.http2();
        connection.headers(1, &fields, false);
        let fate = connection.fate(1);
        assert!(
            matches!(
                fate,
                Fate::Answered(400 | 405) | Fate::Reset(PROTOCOL_ERROR)
            ),
            "{fields:?}: {fate:?}"
        );
    }
    assert!(bench.upstream.received().is_empty());
    assert_eq!(bench.fate(&get("/open"), &[], None), Fate::Answered(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn class_16_an_authority_is_one_host() {
    let bench = Bench::start().await;
    let of = |authority: &'static str| {
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", authority),
            (":path", "/open"),
        ]
    };
    for (pseudo, host) in [
        (of("gw"), Some("evil")),
        (of("gw"), Some("gw:81")),
        (of("user@gw"), None),
        (of("gw/"), None),
        (of(""), None),
        (of("gw,evil"), None),
        (of("gw:x"), None),
        (
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/open")],
            None,
        ),
    ] {
        let more: Fields<'_> = host.map(|host| ("host", host)).into_iter().collect();
        let fate = bench.fate(&pseudo, &more, None);
        assert_ne!(fate, Fate::Answered(200), "{pseudo:?} {host:?}");
    }
    assert!(bench.upstream.received().is_empty());
    for (pseudo, host) in [
        (of("gw"), Some("gw")),
        (of("GW."), None),
        (of("gw:80"), None),
    ] {
        let more: Fields<'_> = host.map(|host| ("host", host)).into_iter().collect();
        assert_eq!(
            bench.fate(&pseudo, &more, None),
            Fate::Answered(200),
            "{pseudo:?}"
        );
    }
}

/// Class 23: what comes behind the body is merged into nothing.
#[tokio::test(flavor = "multi_thread")]
async fn class_23_trailers_are_no_headers() {
    let bench = Bench::start().await;
    let editor = format!("Bearer {}", bench.keys.editor);
    let mut connection = bench.http2();
    let fields = [
        pseudo("POST", "/things"),
        vec![("authorization", editor.as_str())],
    ]
    .concat();
    connection.headers(1, &fields, false);
    connection.frame(DATA, 0, 1, b"abc");
    connection.headers(
        1,
        &[
            ("x-forwarded-user", "evil"),
            ("x-portcullis-tenant", "evil"),
        ],
        true,
    );
    assert_eq!(connection.fate(1), Fate::Answered(200));
    let seen = bench.upstream.only();
    assert_eq!(seen.body, b"abc");
    assert!(!seen.head.contains("evil"), "{}", seen.head);
}

/// Requests of one connection are independent: one refused does not end the others.
#[tokio::test(flavor = "multi_thread")]
async fn streams_stand_alone() {
    let bench = Bench::start().await;
    let viewer = format!("Bearer {}", bench.keys.viewer);
    let mut connection = bench.http2();
    let ask = [get("/things/7"), vec![("authorization", viewer.as_str())]].concat();
    connection.headers(1, &get("/things/7"), true);
    connection.headers(3, &ask, true);
    connection.headers(5, &[get("/../x"), vec![]].concat(), true);
    connection.headers(7, &ask, true);
    let mut fates: Vec<_> = [1, 3, 5, 7].map(|stream| (stream, None)).to_vec();
    // Answers come in any order: the last one is waited for, then all have been seen.
    for (stream, fate) in &mut fates {
        *fate = Some(match connection.seen(*stream) {
            Some(status) => Fate::Answered(status),
            None => connection.fate(*stream),
        });
    }
    let statuses: Vec<_> = fates.into_iter().map(|(_, fate)| fate.unwrap()).collect();
    assert_eq!(statuses, [401, 200, 400, 200].map(Fate::Answered));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_bounded_over_http2_too() {
    let upstream = Upstream::ok();
    let text = yaml(upstream.address(), ROUTES)
        + "limits: { header_bytes: 4KiB, header_count: 10, request_line: 1KiB, header_timeout: 1s, \
           body: 8B }\n";
    let bench = Bench::around(upstream, TestGateway::start(&text).await);
    let many: Vec<(String, &str)> = (0..11).map(|n| (format!("x-{n}"), "y")).collect();
    let many: Fields<'_> = many
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let long = format!("/open?{}", "y".repeat(1100));
    let large = "y".repeat(6000);
    assert_eq!(bench.fate(&get("/open"), &many, None), Fate::Answered(431));
    assert_eq!(bench.fate(&get(&long), &[], None), Fate::Answered(414));
    assert_eq!(
        bench.fate(&get("/open"), &[("x-some", &large)], None),
        Fate::Answered(431)
    );
    let editor = format!("Bearer {}", bench.keys.editor);
    let key = [("authorization", editor.as_str())];
    let post = pseudo("POST", "/things");
    assert_eq!(
        bench.fate(&post, &key, Some(b"123456789")),
        Fate::Answered(413)
    );
    assert_eq!(
        bench.fate(&post, &key, Some(b"12345678")),
        Fate::Answered(200)
    );
    // A header that never ends.
    let mut connection = bench.http2();
    connection.frame(HEADERS, 0, 1, &block(&get("/open")));
    assert_eq!(connection.fate(1), Fate::Closed);
    let mut connection = bench.http2();
    connection.frame(HEADERS, END_STREAM, 1, &block(&get("/open")));
    connection.frame(CONTINUATION, END_HEADERS, 1, b"");
    assert_eq!(
        connection.fate(1),
        Fate::Answered(200),
        "in two pieces, in time"
    );
    until("all to close", || {
        bench.gateway.metric("portcullis_connections") <= 1
    });
}
