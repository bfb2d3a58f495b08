//! Versions, names, protocols, and what is no TLS.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use openssl::ssl::SslVersion;

use super::{GET, Office, ask, get, names_in, start, status, wait_for_failures};
use crate::support::certificates::Request;
use crate::support::raw::Connection;
use crate::support::tls::Hello;

const H2_AND_H1: &[u8] = b"\x02h2\x08http/1.1";

fn of_version(version: SslVersion) -> Hello<'static> {
    Hello {
        version: Some(version),
        ..Hello::default()
    }
}

fn named(name: &str) -> Hello<'_> {
    Hello {
        name: Some(name),
        ..Hello::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_and_1_3_pass_and_nothing_lower_does() {
    let office = Office::with(&[("a", &["a.test"])]);
    let entries = [
        office.listen(&["a"], ""),
        office.listen(&["a"], ", min_version: '1.3'"),
    ];
    let (upstream, gateway) = start(&entries.concat(), "").await;
    let [any, only_1_3] = gateway.publics();
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let mut secured = of_version(version).connect(any).unwrap();
        assert_eq!(secured.version, version);
        assert_eq!(ask(&mut secured).status, 200);
    }
    let seen = upstream.received();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].header("x-forwarded-proto"), ["https"]);
    for version in [SslVersion::TLS1, SslVersion::TLS1_1] {
        let refused = of_version(version).connect(any).err().unwrap();
        assert!(refused.contains("protocol version"), "{refused}");
    }
    assert!(of_version(SslVersion::TLS1_2).connect(only_1_3).is_err());
    assert_eq!(get(&of_version(SslVersion::TLS1_3), only_1_3).status, 200);
    wait_for_failures(&gateway, "tls_handshake", 3);
    // What every scanner does is no news.
    assert!(!gateway.log().contains("handshake"), "{}", gateway.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_and_bodies_pass_both_ways() {
    let office = Office::with(&[("a", &["a.test"])]);
    let (upstream, gateway) = start(&office.listen(&["a"], ""), "").await;
    let mut secured = named("a.test").connect(gateway.public()).unwrap();
    // More than one TLS record.
    let body = "x".repeat(100_000);
    for _ in 0..3 {
        secured.connection.send(format!(
            "POST /open HTTP/1.1\r\nHost: gw\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(secured.connection.answer().unwrap().body, "ok");
    }
    secured.connection.send("GET /o\0 HTTP/1.1\r\n\r\n");
    assert_eq!(secured.connection.answer().unwrap().status, 400);
    assert!(secured.connection.is_closed());
    let seen = upstream.received();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.body == body.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_is_asked_for_picks_the_certificate() {
    let office = Office::with(&[
        ("first", &["first.test"]),
        ("second", &["second.test", "*.wild.test"]),
        ("exact", &["exact.wild.test"]),
    ]);
    let names = ["first", "second", "exact"];
    let entries = [
        office.listen(&names, ""),
        office.listen(&names, ", unknown_name: refuse"),
    ];
    let (_upstream, gateway) = start(&entries.concat(), "").await;
    let [lenient, strict] = gateway.publics();
    let second = &["second.test", "*.wild.test"][..];
    for (asked, expected) in [
        ("first.test", &["first.test"][..]),
        ("second.test", second),
        ("SECOND.test", second),
        ("any.wild.test", second),
        ("exact.wild.test", &["exact.wild.test"]),
    ] {
        for address in [lenient, strict] {
            let mut secured = named(asked).connect(address).unwrap();
            assert_eq!(names_in(&secured), expected, "{asked}");
            assert_eq!(ask(&mut secured).status, 200);
        }
    }
    for unknown in [
        named("unknown.test"),
        named("two.labels.wild.test"),
        named("wild.test"),
        Hello::default(),
    ] {
        let mut secured = unknown.connect(lenient).unwrap();
        assert_eq!(names_in(&secured), ["first.test"]);
        assert_eq!(ask(&mut secured).status, 200);
        let refused = unknown.connect(strict).err().unwrap();
        assert!(refused.contains("unrecognized name"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spoken_is_agreed_in_the_handshake() {
    let office = Office::with(&[("a", &["a.test"]), ("b", &["b.test"])]);
    let without = office.listen(&["a", "b"], "") + "    http2: false\n";
    let entries = office.listen(&["a", "b"], "") + &without;
    let (_upstream, gateway) = start(&entries, "").await;
    let [both, only_1] = gateway.publics();
    let chosen = |name, alpn, address| {
        let hello = Hello {
            name: Some(name),
            alpn,
            ..Hello::default()
        };
        hello.connect(address).map(|secured| secured.alpn)
    };
    for name in ["a.test", "b.test"] {
        let h2 = Ok(Some(b"h2".to_vec()));
        let h1 = Ok(Some(b"http/1.1".to_vec()));
        assert_eq!(chosen(name, H2_AND_H1, both), h2);
        assert_eq!(chosen(name, b"\x08http/1.1", both), h1);
        assert_eq!(chosen(name, b"", both), Ok(None));
        assert_eq!(chosen(name, H2_AND_H1, only_1), h1);
        for (alpn, address) in [(&b"\x02h2"[..], only_1), (b"\x03ftp", both)] {
            let refused = chosen(name, alpn, address).unwrap_err();
            assert!(refused.contains("no application protocol"), "{refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_on_a_tls_port_is_closed_without_noise() {
    let office = Office::with(&[("a", &["a.test"])]);
    let (upstream, gateway) = start(&office.listen(&["a"], ""), "").await;
    let mut plain = Connection::open(gateway.public());
    plain.send(GET);
    // At most an alert, and never a word of HTTP.
    let told = plain.some_bytes();
    assert!(!told.starts_with(b"HTTP"), "{told:?}");
    assert!(plain.is_closed());
    assert_eq!(get(&named("a.test"), gateway.public()).status, 200);
    assert_eq!(upstream.received().len(), 1);
    wait_for_failures(&gateway, "tls_handshake", 1);
    for loud in ["\"ERROR\"", "\"WARN\",\"message\":\"a conn", "handshake"] {
        assert!(!gateway.log().contains(loud), "{}", gateway.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_on_a_plain_port_is_400_and_closed() {
    let (upstream, gateway) = start("  - 127.0.0.1:0\n", "").await;
    let mut connection = Connection::open(gateway.public());
    // A ClientHello without a single line feed.
    let mut hello = b"\x16\x03\x01\x00\xa0\x01\x00\x00\x9c\x03\x03".to_vec();
    hello.resize(165, 0x55);
    connection.send(&hello);
    assert_eq!(connection.answer().unwrap().status, 400);
    assert!(connection.is_closed());
    assert_eq!(status(&Hello::default(), gateway.public()), None);
    assert!(upstream.received().is_empty());
    assert_eq!(gateway.raw(GET).unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_has_a_deadline_and_a_seat() {
    let office = Office::with(&[("a", &["a.test"])]);
    let limits = "limits: { header_timeout: 1s, connections: 2 }\n";
    let (_upstream, gateway) = start(&office.listen(&["a"], ""), limits).await;
    let mut dripping = Connection::open(gateway.public());
    dripping.send(b"\x16\x03\x01");
    let mut silent = Connection::open(gateway.public());
    assert!(dripping.is_closed());
    assert!(silent.is_closed());
    wait_for_failures(&gateway, "timeout", 2);
    assert_eq!(get(&named("a.test"), gateway.public()).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_deserves_a_look_is_told_but_served() {
    let office = Office::with(&[]);
    let expired = Request {
        days: [-2, -1],
        ..Request::server(&["a.test"])
    };
    office
        .authority
        .issue(&expired)
        .write(office.dir.path(), "a");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(office.file("a.key"), open).unwrap();
    let (_upstream, gateway) = start(&office.listen(&["a"], ""), "").await;
    assert_eq!(get(&named("a.test"), gateway.public()).status, 200);
    let checked = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["check".as_ref(), gateway.config().as_os_str()])
        .output()
        .unwrap();
    assert!(checked.status.success());
    let told = String::from_utf8(checked.stderr).unwrap();
    for warning in ["a.crt: expired at ", "a.key: the key is open to every user"] {
        assert!(told.contains(warning), "{told}");
        assert!(gateway.log().contains(warning), "{}", gateway.log());
    }
}
