//! Limits and trusted proxies of the next request are those in force, on connections that
//! were opened under others too.

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::http2::{Fate, GOAWAY, Http2, request};
use crate::support::raw::Connection;
use crate::support::upstream::Upstream;

const ROUTES: &str = "  - { route: GET /, upstream: app, public: 'for a test' }\n";
const GET: [(&str, &str); 4] = request("GET", "/");
const PROXY: &str = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";

fn config(upstream: &Upstream, more: &str) -> String {
    yaml(upstream.address(), ROUTES) + more
}

fn ask(connection: &mut Connection, fields: &str) -> u16 {
    connection.send(format!("GET / HTTP/1.1\r\nHost: gw\r\n{fields}\r\n"));
    connection.answer().unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http1() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&config(&upstream, "")).await;
    let [mut one, mut two] = [(); 2].map(|()| gateway.connect());
    let fields = "X-Some: y\r\n".repeat(20);
    for connection in [&mut one, &mut two] {
        assert_eq!(ask(connection, &fields), 200);
    }
    gateway.reconfigure(&config(&upstream, "limits: { header_count: 10 }\n"));
    assert_eq!(ask(&mut one, ""), 200);
    assert_eq!(ask(&mut two, &fields), 431);
    // Whoever waits already, waits no longer than is allowed now.
    gateway.reconfigure(&config(&upstream, "limits: { idle: 1s }\n"));
    assert!(one.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_http2_that_agreed_on_others_are_asked_to_come_again() {
    let (upstream, go) = Upstream::held();
    let gateway = TestGateway::start(&config(&upstream, "")).await;
    let mut connection = Http2::open(gateway.public());
    connection.headers(1, &GET, true);
    until("the request", || upstream.received().len() == 1);
    // What the protocol has no part in changes nothing for it.
    gateway.reconfigure(&config(&upstream, "limits: { body: 1KiB, requests: 9 }\n"));
    connection.headers(3, &GET, true);
    until("the next", || upstream.received().len() == 2);
    gateway.reconfigure(&config(&upstream, "limits: { streams: 2 }\n"));
    let goodbye = connection.next_of(GOAWAY).expect("a word before the end");
    assert_eq!(goodbye.payload[4..8], [0; 4], "no error");
    go.send(()).unwrap();
    go.send(()).unwrap();
    // What runs is finished.
    for stream in [1, 3] {
        let seen = connection.seen_to_the_end(stream);
        let fate = seen.unwrap_or_else(|| connection.fate(stream));
        assert_eq!(fate, Fate::Answered(200));
    }
    connection.until_closed();
}

/// Who stays all the same does not keep the limits that he came under.
#[tokio::test(flavor = "multi_thread")]
async fn who_stays_is_refused_before_long() {
    let (upstream, go) = Upstream::held();
    let limits = |more: &str| {
        config(
            &upstream,
            &format!("limits: {{ header_timeout: 1s{more} }}\n"),
        )
    };
    let gateway = TestGateway::start(&limits("")).await;
    let mut connection = Http2::open(gateway.public());
    connection.headers(1, &GET, true);
    until("the request", || upstream.received().len() == 1);
    gateway.reconfigure(&limits(", streams: 2"));
    assert!(connection.next_of(GOAWAY).is_some());
    // One that does not wait for the backend.
    let malformed = request("GET", "/..");
    let mut stream = 1;
    until("a refusal", || {
        stream += 2;
        connection.headers(stream, &malformed, true);
        match connection.fate(stream) {
            Fate::Answered(400) => false,
            Fate::Reset(_) => true,
            other => panic!("{other:?}"),
        }
    });
    go.send(()).unwrap();
    let seen = connection.seen_to_the_end(1);
    let fate = seen.unwrap_or_else(|| connection.fate(1));
    assert_eq!(fate, Fate::Answered(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_says_is_believed_for_as_long_as_it_is_trusted() {
    let upstream = Upstream::ok();
    let trusting = |whom: &str| config(&upstream, &format!("trusted_proxies: [{whom}]\n"));
    let gateway = TestGateway::start(&trusting("127.0.0.1")).await;
    let mut connection = gateway.connect();
    let mut http2 = Http2::open(gateway.public());
    let forwarded = [&GET[..], &[("x-forwarded-for", "192.0.2.1")]].concat();
    for (stream, whom) in [(1, "10.0.0.1"), (3, "127.0.0.1"), (5, "10.0.0.1")] {
        assert_eq!(ask(&mut connection, "X-Forwarded-For: 192.0.2.1\r\n"), 200);
        http2.headers(stream, &forwarded, true);
        assert_eq!(http2.fate(stream), Fate::Answered(200));
        gateway.reconfigure(&trusting(whom));
    }
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let told: Vec<_> = events.iter().map(|event| event["ip"].as_str()).collect();
    let [believed, not] = [Some("192.0.2.1"), Some("127.0.0.1")];
    assert_eq!(told, [believed, believed, not, not, believed, believed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_when_the_proxy_that_told_its_address_is_not_trusted_any_more() {
    let upstream = Upstream::ok();
    let trusting = |whom: &str| {
        let listen = "listen: [{ address: '127.0.0.1:0', proxy_protocol: true }]\n";
        config(&upstream, &format!("{listen}trusted_proxies: [{whom}]\n"))
    };
    let gateway = TestGateway::start(&trusting("127.0.0.1")).await;
    let open = || {
        let mut connection = gateway.connect();
        connection.send(PROXY);
        connection
    };
    let [mut used, mut fresh] = [open(), open()];
    assert_eq!(ask(&mut used, ""), 200);
    let mut http2 = Http2::open_behind(gateway.public(), PROXY.as_bytes());
    http2.headers(1, &GET, true);
    assert_eq!(http2.fate(1), Fate::Answered(200));
    gateway.reconfigure(&trusting("127.0.0.1, 10.0.0.1"));
    assert_eq!(ask(&mut used, ""), 200);
    gateway.reconfigure(&trusting("10.0.0.1"));
    assert!(used.is_closed() && fresh.is_closed());
    http2.headers(3, &GET, true);
    assert_ne!(http2.fate(3), Fate::Answered(200));
    http2.until_closed();
    assert_eq!(upstream.received().len(), 3);
}
