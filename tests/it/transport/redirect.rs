//! An address that knows nothing but the way to TLS.

use super::{Office, start};
use crate::support::http2::{Fate, Http2};
use crate::support::raw::Connection;

const REDIRECT: &str = "  - { address: '127.0.0.1:0', redirect_to_https: 443 }\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_sent_to_the_same_target_over_https() {
    let office = Office::with(&[("a", &["a.test"])]);
    let with_port = "  - { address: '127.0.0.1:0', redirect_to_https: 8443 }\n";
    let entries = [REDIRECT, with_port, &office.listen(&["a"], "")].concat();
    let (upstream, gateway) = start(&entries, "").await;
    let [redirect, ported, _tls] = gateway.publics();
    for (line, host, location) in [
        ("GET /open", "gw", "https://gw/open"),
        (
            "GET /none?a=%31&b=x+y",
            "gw:80",
            "https://gw/none?a=1&b=x%20y",
        ),
        ("DELETE /open", "GW.", "https://gw/open"),
        ("GET http://gw/open", "gw", "https://gw/open"),
        (
            "GET /.portcullis/api/v1/",
            "[::1]:80",
            "https://[::1]/.portcullis/api/v1/",
        ),
        ("OPTIONS /", "gw", "https://gw/"),
    ] {
        let mut connection = Connection::open(redirect);
        for _ in 0..2 {
            connection.send(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            let answer = connection.answer().unwrap();
            assert_eq!(answer.status, 308, "{line}");
            assert_eq!(answer.header("location"), [location]);
            assert_eq!(answer.header("x-request-id").len(), 1);
        }
    }
    let mut connection = Connection::open(ported);
    connection.send("HEAD /open?x HTTP/1.1\r\nHost: gw\r\n\r\n");
    let answer = connection.answer_to("HEAD").unwrap();
    assert_eq!(answer.header("location"), ["https://gw:8443/open?x"]);
    assert!(upstream.received().is_empty());
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), 13);
    for event in &events {
        assert_eq!(event["event"], "request.redirected");
        assert_eq!(event["result"], "success");
        assert_eq!(event["status"], 308);
        assert_eq!(event["actor_type"], "anonymous");
    }
    assert_eq!(events[12]["details"]["path"], "/open");
    let counted = "portcullis_requests_total{outcome=\"success\",route=\"none\"}";
    assert_eq!(gateway.metric(counted), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_can_be_reached() {
    let (upstream, gateway) = start(REDIRECT, "").await;
    let keys = gateway.seed();
    let key = format!("Authorization: Bearer {}\r\n", keys.admin);
    for request in [
        format!("GET /things HTTP/1.1\r\nHost: gw\r\n{key}X-Portcullis-Project: acme/fraud\r\n\r\n"),
        "GET /open HTTP/1.1\r\nHost: gw\r\nX-Forwarded-Proto: https\r\n\r\n".to_owned(),
        "GET /open HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_owned(),
        "POST /open HTTP/1.1\r\nHost: gw\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "POST /open HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            .to_owned(),
    ] {
        assert_eq!(gateway.raw(&request).unwrap().status, 308, "{request}");
    }
    for malformed in [
        "CONNECT gw:443 HTTP/1.1\r\nHost: gw\r\n\r\n",
        "TRACE /open HTTP/1.1\r\nHost: gw\r\n\r\n",
        "GET /open HTTP/1.1\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: gw\r\nHost: other\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: gw/evil\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: gw@evil\r\n\r\n",
        "GET http://other/open HTTP/1.1\r\nHost: gw\r\n\r\n",
        "GET //evil.test/ HTTP/1.1\r\nHost: gw\r\n\r\n",
        "GET /a/../open HTTP/1.1\r\nHost: gw\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: gw\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: gw\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let answer = gateway.raw(malformed).unwrap();
        assert_eq!(answer.status, 400, "{malformed}");
        assert!(answer.header("location").is_empty());
    }
    // A body never becomes a request.
    let mut connection = gateway.connect();
    let inner = "GET /open HTTP/1.1\r\nHost: inner\r\n\r\n";
    connection.send(format!(
        "POST /open HTTP/1.1\r\nHost: gw\r\nContent-Length: {}\r\n\r\n{inner}\
         GET /last HTTP/1.1\r\nHost: gw\r\n\r\n",
        inner.len()
    ));
    let answer = connection.answer().unwrap();
    assert_eq!(answer.header("location"), ["https://gw/open"]);
    assert!(connection.is_closed());
    assert!(upstream.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_over_http_2() {
    let (upstream, gateway) = start(REDIRECT, "").await;
    let keys = gateway.seed();
    let key = format!("Bearer {}", keys.admin);
    let fate = |method: &str, path: &str, more: &[(&str, &str)]| {
        let mut fields = vec![
            (":method", method),
            (":scheme", "http"),
            (":authority", "gw"),
        ];
        fields.extend([(":path", path), ("authorization", &key)]);
        fields.extend(more);
        let mut connection = Http2::open(gateway.public());
        connection.headers(1, &fields, true);
        connection.fate(1)
    };
    for (method, path) in [
        ("GET", "/open"),
        ("GET", "/things"),
        ("PURGE", "/.portcullis/"),
    ] {
        assert_eq!(
            fate(method, path, &[]),
            Fate::Answered(308),
            "{method} {path}"
        );
    }
    for (method, path, more) in [
        ("CONNECT", "/open", &[(":protocol", "websocket")][..]),
        ("TRACE", "/open", &[]),
        ("GET", "/open", &[("host", "other")]),
        ("GET", "//evil.test/", &[]),
        ("OPTIONS", "*", &[]),
    ] {
        let fate = fate(method, path, more);
        let refused = matches!(fate, Fate::Answered(400) | Fate::Reset(_));
        assert!(refused, "{method} {path}: {fate:?}");
    }
    let mut connection = Http2::open(gateway.public());
    let connect = [(":method", "CONNECT"), (":authority", "gw:80")];
    connection.headers(1, &connect, false);
    assert_eq!(connection.fate(1), Fate::Answered(400));
    assert!(upstream.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_limited_like_anything_else() {
    let more = "rate: { address: 2/h }\n";
    let (_upstream, gateway) = start(REDIRECT, more).await;
    let statuses = [(); 3].map(|()| gateway.raw(super::GET).unwrap().status);
    assert_eq!(statuses, [308, 308, 429]);
}
