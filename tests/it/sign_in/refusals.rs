//! A refusal is a page for a person, and what it always was for a program.

use super::{Bench, PASSWORD, ROUTES, TYPED};
use crate::support::browser::{Browser, DOCUMENT, NAVIGATION, OWN_PAGE};
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::http2::{Fate, Http2};
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

const SCRIPT: &str = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nAccept: text/html\r\n";

fn is_page(answer: &Answer) {
    assert_eq!(answer.header("content-type"), ["text/html; charset=utf-8"]);
    let policy = answer.header("content-security-policy");
    assert!(policy[0].starts_with("default-src 'none'; "), "{policy:?}");
    assert!(!policy[0].contains("unsafe"), "{policy:?}");
    assert_eq!(
        answer.header("vary"),
        ["Accept, Sec-Fetch-Mode, Sec-Fetch-Dest"]
    );
    assert_eq!(answer.header("cache-control"), ["no-store"]);
    assert_eq!(answer.header("x-content-type-options"), ["nosniff"]);
    let id = answer.header("x-request-id")[0];
    assert!(answer.body.contains(id), "{}", answer.body);
    assert!(answer.body.contains("<h1>"), "{}", answer.body);
}

/// As ever: nothing of a page in it.
fn is_for_programs(answer: &Answer) {
    assert_ne!(answer.header("content-type"), ["text/html; charset=utf-8"]);
    assert!(answer.header("vary").is_empty(), "{answer:?}");
    assert!(answer.header("content-security-policy").is_empty());
    assert!(!answer.body.starts_with('<'), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_page_where_a_page_was_asked_for() {
    let routes = format!(
        "{ROUTES}
  - {{ route: GET /closed, upstream: app, deny: \"it is <closed>\" }}
  - {{ route: POST /small, upstream: app, permission: datasets:read, max_body: 8B }}
  - {{ route: GET /away, upstream: gone, permission: datasets:read }}
  - {{ route: GET /broken, upstream: broken, permission: datasets:read }}
"
    );
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = free.local_addr().unwrap();
    drop(free);
    let broken = Upstream::with(|_, stream| {
        use std::io::Write as _;
        stream.write_all(b"secret of the backend\r\n\r\n")
    });
    let upstream = Upstream::ok();
    let upstreams = format!(
        "sign_in: {{}}\nupstreams:\n  app: {{ url: \"http://{}\" }}\n  gone: {{ url: \
         \"http://{nowhere}\" }}\n  broken: {{ url: \"http://{}\" }}\nroutes:\n{routes}",
        upstream.address(),
        broken.address(),
    );
    let gateway = TestGateway::start(&upstreams).await;
    let keys = gateway.seed();
    gateway.cli_told(&["users", "set-password", "viewer@example.com"], PASSWORD);
    let mut viewer = Browser::new(gateway.public());
    let signed_in = viewer.sign_in("viewer%40example.com", TYPED);
    assert_eq!(signed_in.status, 303);
    for (status, line, body) in [
        (403, "GET /closed", ""),
        (403, "POST /things", "a=b"),
        (404, "GET /nothing", ""),
        (404, "GET /.portcullis/nothing", ""),
        (405, "POST /me", "a=b"),
        (400, "GET /a/../b", ""),
        (413, "POST /small", "a=123456789"),
        (502, "GET /away", ""),
        (502, "GET /broken", ""),
    ] {
        let page = viewer.send(line, &format!("{DOCUMENT}{OWN_PAGE}"), body);
        assert_eq!(page.status, status, "{line}");
        is_page(&page);
        assert!(!page.body.contains("secret of"), "{}", page.body);
        assert!(!page.body.contains("<closed>"), "{}", page.body);
        let script = viewer.send(line, SCRIPT, body);
        assert_eq!(script.status, status, "{line}");
        is_for_programs(&script);
        // What is said is what a program hears, or less.
        let told = script.json()["detail"].as_str().unwrap().to_owned();
        let escaped = askama_escaped(&told);
        assert!(page.body.contains(&escaped), "{told}: {}", page.body);
        let key = format!("Authorization: Bearer {}\r\nAccept: */*\r\n", keys.viewer);
        let client = Browser::new(gateway.public()).send(line, &key, body);
        is_for_programs(&client);
        assert_eq!(client.json()["detail"], told.as_str(), "{line}");
    }
    // A frame is no page of its own, and HEAD has none.
    let frame = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\nAccept: text/html\r\n";
    is_for_programs(&viewer.send("GET /nothing", frame, ""));
    let mut connection = gateway.connect();
    connection.send(format!(
        "HEAD /nothing HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n{NAVIGATION}Cookie: {}\r\n\r\n",
        viewer.cookie.as_ref().unwrap()
    ));
    let head = connection.answer_to("HEAD").unwrap();
    assert_eq!((head.status, &*head.body), (404, ""));
    assert_eq!(head.header("content-type"), ["text/html; charset=utf-8"]);
    let page = viewer.go("/nothing");
    assert_eq!(head.header("content-length"), page.header("content-length"));
    // Strangers are led to sign-in where that helps, and told no more than a program elsewhere.
    let mut stranger = Browser::new(gateway.public());
    assert_eq!(stranger.go("/things").status, 303);
    let unknown = stranger.go("/a/../b");
    is_page(&unknown);
    assert!(!unknown.body.contains("/.portcullis/account"));
    // A key that proves nothing, in a browser.
    let wrong = stranger.send(
        "GET /things",
        &format!("{DOCUMENT}Authorization: Bearer pcl_live_nothing\r\n"),
        "",
    );
    assert_eq!(wrong.status, 401);
    is_page(&wrong);
    assert_eq!(wrong.header("www-authenticate").len(), 2);
}

fn askama_escaped(text: &str) -> String {
    text.replace('&', "&#38;")
        .replace('<', "&#60;")
        .replace('>', "&#62;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_told_on_a_page_with_when_to_come_back() {
    let bench = Bench::with_rules("sign_in: {}\nrate: { principal: 3/h }").await;
    let mut viewer = bench.signed_in("viewer");
    until("the limit", || viewer.go("/things").status == 429);
    let page = viewer.go("/things");
    is_page(&page);
    assert_eq!(page.header("retry-after").len(), 1);
    let script = viewer.send("GET /things", SCRIPT, "");
    assert_eq!(script.status, 429);
    is_for_programs(&script);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sign_in_nothing_is_a_page() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    gateway.seed();
    let mut browser = Browser::new(gateway.public());
    for path in ["/nothing", "/things", "/.portcullis/sign-in"] {
        is_for_programs(&browser.send(&format!("GET {path}"), DOCUMENT, ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_2_it_is_the_same() {
    let bench = Bench::start().await;
    let viewer = bench.signed_in("viewer");
    let cookie = viewer.cookie.clone().unwrap();
    let mut connection = Http2::open(bench.gateway.public());
    let mut ask = |stream: u32, mode: &str, method: &str| {
        let fields = [
            (":method", method),
            (":scheme", "http"),
            (":path", "/nothing"),
            (":authority", "gw"),
            ("accept", "text/html"),
            ("sec-fetch-mode", mode),
            ("cookie", &cookie),
        ];
        assert!(connection.headers(stream, &fields, true));
        let Fate::Answered(status) = connection.fate(stream) else {
            panic!("no answer");
        };
        let body = connection.bodies.remove(&stream).unwrap_or_default();
        (status, String::from_utf8(body).unwrap())
    };
    let (status, page) = ask(1, "navigate", "GET");
    assert_eq!(status, 404);
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let (status, script) = ask(3, "cors", "GET");
    assert_eq!(status, 404);
    assert!(script.starts_with('{'), "{script}");
    let (status, head) = ask(5, "navigate", "HEAD");
    assert_eq!((status, &*head), (404, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_full_or_does_not_answer_is_told_on_a_page() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    // Not a byte before the test is done.
    let upstream = Upstream::with(move |_, _| {
        let _ = wait.lock().unwrap().recv();
        Ok(())
    });
    let routes = "
  - { route: GET /slow, upstream: app, public: 'for a test', timeouts: { read: 1s } }
  - { route: GET /held, upstream: app, public: 'for a test' }
";
    let text = yaml(upstream.address(), routes);
    let more = "sign_in: {}\nlimits: { requests: 1 }\n";
    let gateway = TestGateway::start(&format!("{text}{more}")).await;
    let mut browser = Browser::new(gateway.public());
    let late = browser.send("GET /slow", DOCUMENT, "");
    assert_eq!(late.status, 504, "{late:?}");
    is_page(&late);
    is_for_programs(&browser.send("GET /slow", "", ""));
    let mut held = gateway.connect();
    held.send("GET /held HTTP/1.1\r\nHost: gw\r\n\r\n");
    until("the place to be taken", || {
        gateway.metric("portcullis_requests_in_flight") == 1
    });
    let full = browser.send("GET /held", DOCUMENT, "");
    assert_eq!(full.status, 503, "{full:?}");
    is_page(&full);
    assert_eq!(full.header("retry-after"), ["1"]);
    is_for_programs(&browser.send("GET /held", "", ""));
    drop(go);
}
