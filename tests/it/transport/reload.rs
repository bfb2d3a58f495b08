//! Certificates that change while they serve.

use openssl::ssl::SslVersion;

use super::{Office, ask, get, names_in, start};
use crate::support::certificates::{Pair, Request};
use crate::support::gateway::{until, yaml};
use crate::support::tls::Hello;
use crate::support::upstream::Upstream;

const A: Hello<'static> = Hello {
    name: Some("a.test"),
    version: None,
    alpn: b"",
    certificate: None,
    before: b"",
};
const GOOD: &str = "portcullis_tls_reloads_total{result=\"success\"}";
const BAD: &str = "portcullis_tls_reloads_total{result=\"failed\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_serves_without_an_open_connection_being_dropped() {
    let office = Office::with(&[("a", &["a.test"]), ("b", &["b.test"])]);
    let (_upstream, gateway) = start(&office.listen(&["a", "b"], ""), "").await;
    let address = gateway.public();
    let serial = |hello: &Hello<'_>| {
        let secured = hello.connect(address).unwrap();
        secured
            .certificate
            .digest(openssl::hash::MessageDigest::sha256())
            .unwrap()
            .to_vec()
    };
    let b = Hello {
        name: Some("b.test"),
        ..A
    };
    let (old_a, old_b) = (serial(&A), serial(&b));
    let mut open = A.connect(address).unwrap();
    assert_eq!(ask(&mut open).status, 200);
    let request = Request {
        days: [-1, 30],
        ..Request::server(&["a.test", "new.test"])
    };
    let new = office.authority.issue(&request);
    new.write(office.dir.path(), "a");
    until("the new certificate", || serial(&A) != old_a);
    assert_eq!(
        names_in(&A.connect(address).unwrap()),
        ["a.test", "new.test"]
    );
    assert_eq!(ask(&mut open).status, 200);
    assert_eq!(serial(&b), old_b);
    let file = office.file("a.crt");
    let expiry = format!(
        "portcullis_tls_certificate_expiry_timestamp_seconds{{name=\"{}\"}}",
        file.display()
    );
    let now = portcullis::clock::Clock::system().now().timestamp();
    let days = (i64::try_from(gateway.metric(&expiry)).unwrap() - now) / 86_400;
    assert!((29..=30).contains(&days), "{days}");
    assert_eq!(gateway.metric(GOOD), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_keeps_the_old_certificate_and_is_told() {
    let office = Office::with(&[("a", &["a.test"]), ("b", &["b.test"])]);
    let (_upstream, gateway) = start(&office.listen(&["a", "b"], ""), "").await;
    let address = gateway.public();
    let bad = |times: u64| until("the failure", || gateway.metric(BAD) == times);
    let fine = |hello: &Hello<'_>| assert_eq!(get(hello, address).status, 200);

    let stranger = office.authority.issue(&Request::server(&["a.test"]));
    let pem = stranger.key.private_key_to_pem_pkcs8().unwrap();
    let right = std::fs::read(office.file("a.key")).unwrap();
    std::fs::write(office.file("a.key"), pem).unwrap();
    bad(1);
    fine(&A);
    let told = format!("{}: the key does not fit", office.file("a.key").display());
    until(&told, || gateway.log().contains(&told));

    std::fs::write(office.file("a.crt"), "no certificate").unwrap();
    bad(2);
    fine(&A);
    std::fs::remove_file(office.file("a.crt")).unwrap();
    bad(3);
    fine(&A);

    // The neighbour is renewed all the same.
    office.issue("b", &["b.test", "b2.test"]);
    bad(4);
    let b2 = Hello {
        name: Some("b2.test"),
        ..A
    };
    assert_eq!(
        names_in(&b2.connect(address).unwrap()),
        ["b.test", "b2.test"]
    );

    std::fs::write(office.file("a.key"), right).unwrap();
    office.issue("a", &["a.test"]);
    until("the repair", || gateway.metric(GOOD) == 1);
    fine(&A);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_taken_away_lets_nobody_in_any_more() {
    let office = Office::with(&[("a", &["a.test"])]);
    let client = office.authority.issue(&Request::client("alice"));
    let more = format!(
        ", client_certificates: {{ ca_file: {}, required: true }}",
        office.file("ca.crt").display()
    );
    let (_upstream, gateway) = start(&office.listen(&["a"], &more), "").await;
    let hello = Hello {
        certificate: Some(&client),
        ..A
    };
    assert_eq!(get(&hello, gateway.public()).status, 200);
    let other = Pair::authority("other");
    other.write(office.dir.path(), "ca");
    until("the refusal", || {
        super::status(&hello, gateway.public()).is_none()
    });
    let theirs = other.issue(&Request::client("bob"));
    let hello = Hello {
        certificate: Some(&theirs),
        ..A
    };
    assert_eq!(get(&hello, gateway.public()).status, 200);
}

/// The configuration of [`super::start`], to change it.
fn config(upstream: &Upstream, entries: &str) -> String {
    format!(
        "listen:\n{entries}{}",
        yaml(upstream.address(), super::ROUTES)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_of_the_configuration_changes_tls_but_no_address() {
    let office = Office::with(&[("a", &["a.test"]), ("b", &["b.test"])]);
    let plain = "  - 127.0.0.1:0\n";
    let entries = |names: &[&str], more: &str| plain.to_owned() + &office.listen(names, more);
    let (upstream, gateway) = start(&entries(&["a"], ""), "").await;
    let [_, tls] = gateway.publics();
    let b = Hello {
        name: Some("b.test"),
        ..A
    };
    let served = |hello: &Hello<'_>| names_in(&hello.connect(tls).unwrap());
    let mut open = A.connect(tls).unwrap();
    assert_eq!(served(&b), ["a.test"]);
    gateway.reconfigure(&config(&upstream, &entries(&["a", "b"], "")));
    assert_eq!(served(&b), ["b.test"]);
    let expiry = |name: &str| {
        let file = office.file(name);
        let gauge = "portcullis_tls_certificate_expiry_timestamp_seconds";
        format!("{gauge}{{name=\"{}\"}}", file.display())
    };
    let has = |name: &str| gateway.private_get("/metrics").body.contains(&expiry(name));
    until("the metric of b", || has("b.crt"));
    gateway.reconfigure(&config(&upstream, &entries(&["b"], ", min_version: '1.3'")));
    assert_eq!(served(&A), ["b.test"]);
    let old = Hello {
        version: Some(SslVersion::TLS1_2),
        ..A
    };
    assert!(old.connect(tls).is_err());
    until("the metric of a to go", || !has("a.crt"));
    assert_eq!(ask(&mut open).status, 200);
    let restart = "portcullis_config_restart_required{key=\"listen\"} 1";
    let required = || gateway.private_get("/metrics").body.contains(restart);
    assert!(!required());
    // Another address takes a restart, and until then all stays as it is.
    gateway.reconfigure(&config(&upstream, &office.listen(&["a"], "")));
    assert!(required());
    assert_eq!(served(&A), ["b.test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_comes_after_the_configuration_is_not_missed() {
    let office = Office::with(&[("a", &["a.test"])]);
    let (upstream, gateway) = start(&office.listen(&["a"], ""), "").await;
    let b = Hello {
        name: Some("b.test"),
        ..A
    };
    gateway.configure(&config(&upstream, &office.listen(&["a", "b"], "")));
    gateway.reload("failed");
    let told = "b.crt`: cannot be read";
    until(told, || gateway.log().contains(told));
    office.issue("b", &["b.test"]);
    until("the certificate", || {
        names_in(&b.connect(gateway.public()).unwrap()) == ["b.test"]
    });
}
