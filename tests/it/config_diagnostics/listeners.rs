//! Mistakes of `listen:`, and its legal neighbours.

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use tempfile::TempDir;

use super::{diagnose, diagnoses};
use crate::support::certificates::{Pair, Request};

/// A directory with good files and bad ones.
fn files() -> TempDir {
    let dir = TempDir::new().unwrap();
    let authority = Pair::authority("authority");
    authority.write(dir.path(), "ca");
    for (name, hosts) in [
        ("a", &["a.test"][..]),
        ("b", &["b.test"]),
        ("nameless", &[]),
    ] {
        let pair = authority.issue(&Request::server(hosts));
        pair.write(dir.path(), name);
    }
    std::fs::write(dir.path().join("empty"), "").unwrap();
    let weak = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    let weak = authority.issue_for(weak, &Request::server(&["weak.test"]));
    weak.write(dir.path(), "weak");
    let locked = authority.key;
    let locked = locked.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"secret");
    std::fs::write(dir.path().join("locked"), locked.unwrap()).unwrap();
    dir
}

/// One snapshot of the cases, in which `DIR` stands for the directory.
fn with_files(cases: &[(&str, String)]) -> String {
    let dir = files();
    let place = dir.path().display().to_string();
    let cases: Vec<_> = cases
        .iter()
        .map(|(name, text)| {
            (
                *name,
                format!("version: 1\n{text}\n").replace("DIR", &place),
            )
        })
        .collect();
    diagnoses(&cases).replace(&place, "DIR")
}

fn tls(inner: &str) -> String {
    format!("listen:\n  address: 127.0.0.1:8443\n  tls: {inner}")
}

/// Each file on a line of its own: columns must not hang on the length of a path.
fn pairs(pairs: &[[&str; 2]]) -> String {
    let pairs = pairs.iter().map(|[certificate, key]| {
        format!("\n    - certificate: DIR/{certificate}\n      key: DIR/{key}")
    });
    tls(&format!(
        "\n    certificates:{}",
        pairs.collect::<Vec<_>>().concat()
    ))
}

fn pair(certificate: &str, key: &str) -> String {
    pairs(&[[certificate, key]])
}

fn with(more: &str) -> String {
    format!("{}\n    {more}", pair("a.crt", "a.key"))
}

#[test]
fn addresses() {
    let cases = [
        ("no address", "listen: []".to_owned()),
        ("address missing", "listen: { http2: true }".to_owned()),
        (
            "unknown key",
            "listen: { address: '127.0.0.1:1', htp2: true }".to_owned(),
        ),
        (
            "not a boolean",
            "listen: { address: '127.0.0.1:1', http2: 1 }".to_owned(),
        ),
        (
            "the same address twice",
            "listen: ['127.0.0.1:1', { address: '127.0.0.1:1' }]".to_owned(),
        ),
        (
            "the private address among several",
            "listen: ['127.0.0.1:1', '127.0.0.1:2']\nprivate_listen: 127.0.0.1:2".to_owned(),
        ),
        (
            "PROXY without trusted proxies",
            "listen: { address: '127.0.0.1:1', proxy_protocol: true }".to_owned(),
        ),
        (
            "redirect to nowhere",
            "listen: [ { address: '127.0.0.1:80', redirect_to_https: 8443 }, '127.0.0.1:8443' ]"
                .to_owned(),
        ),
        (
            "redirect to no port",
            "listen: { address: '127.0.0.1:80', redirect_to_https: true }".to_owned(),
        ),
    ];
    insta::assert_snapshot!(with_files(&cases));
}

#[test]
fn certificates() {
    let cases = [
        ("TLS without anything", tls("{}")),
        ("TLS as a boolean", tls("true")),
        ("TLS without certificates", tls("{ certificates: [] }")),
        (
            "TLS with an incomplete pair",
            tls("{ certificates: [{ certificate: DIR/a.crt }] }"),
        ),
        ("missing files", pair("none.crt", "none.key")),
        ("missing key", pair("a.crt", "none.key")),
        (
            "missing file of a variable",
            tls("{ certificates: [{ certificate: '${CA}', key: Cargo.toml }] }"),
        ),
        ("no PEM certificate", pair("empty", "a.key")),
        ("a key for a certificate", pair("a.key", "a.key")),
        ("no PEM key", pair("a.crt", "a.crt")),
        ("an encrypted key", pair("ca.crt", "locked")),
        ("another key", pair("a.crt", "b.key")),
        ("a weak key", pair("weak.crt", "weak.key")),
        (
            "a second certificate without a name",
            pairs(&[["a.crt", "a.key"], ["nameless.crt", "nameless.key"]]),
        ),
        ("TLS 1.1", with("min_version: '1.1'")),
        ("a version as a number", with("min_version: 1.2")),
        ("unknown name", with("unknown_name: ignore")),
        (
            "no CA file",
            with("client_certificates: { required: true }"),
        ),
        (
            "an unreadable CA file",
            with("client_certificates: { ca_file: DIR/none }"),
        ),
        (
            "an empty CA file",
            with("client_certificates: { ca_file: DIR/empty }"),
        ),
        (
            "TLS and redirect",
            format!("{}\n  redirect_to_https: 8443", with("min_version: '1.2'")),
        ),
    ];
    insta::assert_snapshot!(with_files(&cases));
}

#[test]
fn what_is_right() {
    let dir = TempDir::new().unwrap();
    Pair::authority("authority").write(dir.path(), "a");
    let pair = "certificates: [{ certificate: DIR/a.crt, key: DIR/a.key }]";
    for text in [
        "listen: 127.0.0.1:1".to_owned(),
        "listen: ['127.0.0.1:1', { address: '[::1]:1' }]".to_owned(),
        "listen: ['127.0.0.1:0', '127.0.0.1:0']".to_owned(),
        "listen: { address: '127.0.0.1:1', proxy_protocol: false }".to_owned(),
        "trusted_proxies: [10.0.0.0/8]\nlisten: { address: '127.0.0.1:1', proxy_protocol: true }"
            .to_owned(),
        // 443 may be mapped to any port.
        "listen: { address: '127.0.0.1:1', redirect_to_https: 443 }".to_owned(),
        format!(
            "listen:\n- {{ address: '127.0.0.1:1', redirect_to_https: 2 }}\n\
             - {{ address: '127.0.0.1:2', tls: {{ {pair}, min_version: '1.3', \
             unknown_name: refuse, client_certificates: {{ ca_file: DIR/a.crt }} }} }}"
        ),
    ] {
        let place = dir.path().display().to_string();
        let text = format!("version: 1\n{text}\n").replace("DIR", &place);
        assert_eq!(diagnose(&text), [], "{text}");
    }
}
