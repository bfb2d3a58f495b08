//! Proxies that tell who their client is.

use super::{GET, Office, start, wait_for_failures};
use crate::support::raw::{Answer, Connection};
use crate::support::tls::Hello;

const LISTEN: &str = "  - { address: '127.0.0.1:0', proxy_protocol: true }\n";
const TRUSTED: &str = "trusted_proxies: [127.0.0.1, 10.0.0.0/8]\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn v2(command: u8, family: u8, variable: &[u8]) -> Vec<u8> {
    let length = u16::try_from(variable.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, variable].concat()
}

fn v2_of(source: [u8; 4]) -> Vec<u8> {
    let rest = [192, 0, 2, 2, 0xdc, 0x04, 1, 0xbb];
    // An extension follows the addresses.
    v2(0x21, 0x11, &[&source[..], &rest, b"\x04\0\x02ab"].concat())
}

/// A GET behind this header, with more fields.
fn behind(gateway: std::net::SocketAddr, header: &[u8], fields: &str) -> Option<Answer> {
    let mut connection = Connection::open(gateway);
    let request = format!("GET /open HTTP/1.1\r\nHost: gw\r\n{fields}\r\n");
    connection.send([header, request.as_bytes()].concat());
    connection.answer()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_told_address_is_the_peer() {
    let (upstream, gateway) = start(LISTEN, TRUSTED).await;
    let forwarded = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n";
    let v6 = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n";
    let cases: [(&[u8], &str, Option<&str>); 9] = [
        (V1, "", Some("192.0.2.1")),
        (v6, "", Some("2001:db8::1")),
        (&v2_of([192, 0, 2, 9]), "", Some("192.0.2.9")),
        // A client's own word is not believed, though it came through a trusted proxy …
        (V1, forwarded, Some("192.0.2.1")),
        // … but that of a trusted one is, and the proxy's own.
        (&v2_of([10, 0, 0, 9]), forwarded, Some("198.51.100.7")),
        (&v2(0x20, 0, b""), forwarded, Some("198.51.100.7")),
        (&v2(0x20, 0x11, b"ignored"), "", Some("127.0.0.1")),
        // Nobody knows who that is, so nothing it says is believed.
        (b"PROXY UNKNOWN\r\n", forwarded, None),
        (&v2(0x21, 0x31, &[b'x'; 216]), forwarded, None),
    ];
    for (header, fields, _) in &cases {
        let answer = behind(gateway.public(), header, fields).unwrap();
        assert_eq!(answer.status, 200, "{header:?}");
    }
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), cases.len());
    for (index, (header, _, expected)) in cases.iter().enumerate() {
        assert_eq!(events[index]["ip"].as_str(), *expected, "{header:?}");
        let seen = &upstream.received()[index];
        let told: Vec<_> = expected.iter().copied().collect();
        assert_eq!(seen.header("x-forwarded-for"), told, "{header:?}");
    }
    let seen = upstream.received();
    let protos: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("x-forwarded-proto")[0])
        .collect();
    assert_eq!(protos[3..6], ["http", "https", "https"]);
    assert_eq!(protos[7..], ["http", "http"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_header_is_closed_without_a_word() {
    let (upstream, gateway) = start(LISTEN, TRUSTED).await;
    let too_long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
    let malformed: [&[u8]; 12] = [
        b"",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 56324 443\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        too_long.as_bytes(),
        &v2(0x22, 0x11, &[0; 12]),
        &v2(0x11, 0x11, &[0; 12]),
        &v2(0x21, 0x12, &[0; 12]),
        &v2(0x21, 0x51, &[0; 12]),
        &v2(0x21, 0x21, &[0; 12]),
        &v2(0x21, 0x11, &[0; 5000]),
    ];
    for header in malformed {
        let answer = behind(gateway.public(), header, "");
        assert!(answer.is_none(), "{header:?}: {answer:?}");
    }
    wait_for_failures(&gateway, "proxy_header", malformed.len());
    assert!(upstream.received().is_empty());
    // Nor is a second header anything but a malformed request.
    let twice = [V1, V1].concat();
    assert_eq!(behind(gateway.public(), &twice, "").unwrap().status, 400);
    assert_eq!(behind(gateway.public(), V1, "").unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_proxies_may_connect() {
    let plain = "  - 127.0.0.1:0\n";
    let (upstream, gateway) =
        start(&[LISTEN, plain].concat(), "trusted_proxies: [127.0.0.2]\n").await;
    let [proxied, direct] = gateway.publics();
    for header in [V1, &v2_of([127, 0, 0, 2]), b""] {
        assert!(behind(proxied, header, "").is_none());
    }
    wait_for_failures(&gateway, "proxy_untrusted", 3);
    // Where no header is expected, it is none.
    assert_eq!(behind(direct, V1, "").unwrap().status, 400);
    assert!(upstream.received().is_empty());
    let mut trusted = Connection::from([127, 0, 0, 2], proxied);
    trusted.send([V1, GET.as_bytes()].concat());
    assert_eq!(trusted.answer().unwrap().status, 200);
    assert_eq!(behind(direct, b"", "").unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_comes_before_tls() {
    let office = Office::with(&[("a", &["a.test"])]);
    let entry = office.listen(&["a"], "") + "    proxy_protocol: true\n";
    let (_upstream, gateway) = start(&entry, TRUSTED).await;
    let address = gateway.public();
    for before in [V1, &v2_of([192, 0, 2, 1])] {
        let hello = Hello {
            before,
            ..Hello::default()
        };
        assert_eq!(super::get(&hello, address).status, 200);
    }
    assert!(Hello::default().connect(address).is_err());
    // Within TLS it is no header.
    let before = V1;
    let mut secured = Hello {
        before,
        ..Hello::default()
    }
    .connect(address)
    .unwrap();
    secured.connection.send([V1, GET.as_bytes()].concat());
    assert_eq!(secured.connection.answer().unwrap().status, 400);
    gateway.wait_for_audit();
    for event in gateway.events().await {
        assert_eq!(event["ip"], "192.0.2.1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_by_the_told_address() {
    let limits = format!("{TRUSTED}limits: {{ connections_per_address: 1 }}\n");
    let (_upstream, gateway) = start(LISTEN, &limits).await;
    let open = |header: &[u8]| {
        let mut connection = Connection::open(gateway.public());
        connection.send([header, GET.as_bytes()].concat());
        let status = connection.answer().unwrap().status;
        (connection, status)
    };
    let (first, status) = open(V1);
    assert_eq!(status, 200);
    assert_eq!(open(&v2_of([192, 0, 2, 1])).1, 503);
    let (_other, status) = open(&v2_of([192, 0, 2, 3]));
    assert_eq!(status, 200);
    let (_local, status) = open(&v2(0x20, 0, b""));
    assert_eq!(status, 200);
    drop(first);
    crate::support::gateway::until("the seat", || open(V1).1 == 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dripping_header_has_a_deadline() {
    let limits = format!("{TRUSTED}limits: {{ header_timeout: 1s }}\n");
    let (_upstream, gateway) = start(LISTEN, &limits).await;
    for start in [
        &b""[..],
        b"PROXY ",
        &V1[..30],
        SIGNATURE,
        &v2_of([1; 4])[..20],
    ] {
        let mut connection = Connection::open(gateway.public());
        connection.send(start);
        assert!(connection.is_closed());
    }
    wait_for_failures(&gateway, "timeout", 5);
    // In pieces, but in time.
    let mut connection = Connection::open(gateway.public());
    for byte in V1.iter().chain(GET.as_bytes()) {
        connection.send([*byte]);
    }
    assert_eq!(connection.answer().unwrap().status, 200);
}
