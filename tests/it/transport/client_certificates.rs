//! Clients that prove themselves by certificate.

use openssl::hash::MessageDigest;
use openssl::ssl::SslVersion;

use super::{Office, get, start, status};
use crate::support::certificates::{Pair, Request};
use crate::support::tls::Hello;

fn with(certificate: &Pair, version: SslVersion) -> Hello<'_> {
    Hello {
        certificate: Some(certificate),
        version: Some(version),
        ..Hello::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_the_authority_are_taken() {
    let office = Office::with(&[("a", &["a.test"])]);
    let ca = office.file("ca.crt");
    let asked = |required: bool| {
        let ca = ca.display();
        let more = format!(", client_certificates: {{ ca_file: {ca}, required: {required} }}");
        office.listen(&["a"], &more)
    };
    let entries = [asked(false), asked(true), office.listen(&["a"], "")].concat();
    let (upstream, gateway) = start(&entries, "").await;
    let [optional, required, unasked] = gateway.publics();
    let client = |days| Request {
        days,
        ..Request::client("alice")
    };
    let good = office.authority.issue(&client([-1, 1]));
    // Of the same name, but of nobody we know.
    let stranger = Pair::authority("authority").issue(&client([-1, 1]));
    let itself = Pair::authority("alice");
    let expired = office.authority.issue(&client([-2, -1]));
    let early = office.authority.issue(&client([1, 2]));
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let none = Hello {
            version: Some(version),
            ..Hello::default()
        };
        for (hello, expected) in [
            (none, [Some(200), None, Some(200)]),
            (with(&good, version), [Some(200), Some(200), Some(200)]),
            (with(&stranger, version), [None, None, Some(200)]),
            (with(&itself, version), [None, None, Some(200)]),
            (with(&expired, version), [None, None, Some(200)]),
            (with(&early, version), [None, None, Some(200)]),
        ] {
            let got = [optional, required, unasked].map(|address| status(&hello, address));
            assert_eq!(got, expected);
        }
    }
    assert_eq!(upstream.received().len(), 2 * 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_in_the_audit_trail_and_makes_nobody_known() {
    let office = Office::with(&[("a", &["a.test"])]);
    let more = format!(
        ", client_certificates: {{ ca_file: {} }}",
        office.file("ca.crt").display()
    );
    let (upstream, gateway) = start(&office.listen(&["a"], &more), "").await;
    let alice = office.authority.issue(&Request::client("alice,O=evil"));
    let hello = with(&alice, SslVersion::TLS1_3);
    assert_eq!(get(&hello, gateway.public()).status, 200);
    let mut secured = hello.connect(gateway.public()).unwrap();
    secured
        .connection
        .send("GET /things HTTP/1.1\r\nHost: gw\r\n\r\n");
    assert_eq!(secured.connection.answer().unwrap().status, 401);
    assert_eq!(get(&Hello::default(), gateway.public()).status, 200);
    let seen = upstream.received();
    assert!(
        seen.iter().all(|seen| !seen.head.contains("alice")),
        "{seen:?}"
    );
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let digest = alice.certificate.digest(MessageDigest::sha256()).unwrap();
    let digest = openssl::bn::BigNum::from_slice(&digest).unwrap();
    let digest = format!("{:0>64}", digest.to_hex_str().unwrap().to_lowercase());
    for event in &events[..2] {
        let told = &event["details"]["client_certificate"];
        assert_eq!(told["subject"], r"CN=alice\,O\=evil,O=test");
        assert_eq!(told["sha256"], digest);
        assert_eq!(event["actor_type"], "anonymous");
    }
    assert!(events[2]["details"]["client_certificate"].is_null());
}
