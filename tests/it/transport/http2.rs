//! HTTP/2 over TLS and in cleartext, by clients of others.

use std::net::SocketAddr;
use std::process::Command;

use super::{Office, start};

/// `curl` with these arguments; what it wrote.
fn curl(args: &[&str]) -> String {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--noproxy",
            "*",
        ])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "curl {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn to(address: SocketAddr) -> String {
    format!("a.test:443:{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_over_tls_end_to_end() {
    let office = Office::with(&[("a", &["a.test"])]);
    let (upstream, gateway) = start(&office.listen(&["a"], ""), "").await;
    let keys = gateway.seed();
    let (connect, ca) = (to(gateway.public()), office.file("ca.crt"));
    let ca = ca.to_str().unwrap();
    let key = format!("Authorization: Bearer {}", keys.viewer);
    let common = ["--connect-to", &connect, "--cacert", ca, "--header", &key];
    let told = "%{http_version} %{http_code}\n";
    let url = "https://a.test/things";
    let tell = [
        "--write-out",
        told,
        "--output",
        "/dev/null",
        "--output",
        "/dev/null",
    ];
    let over = |version: &'static str| {
        let args = [&common[..], &tell, &[version, url, url]].concat();
        curl(&args)
    };
    assert_eq!(over("--http2"), "2 200\n2 200\n");
    assert_eq!(over("--http1.1"), "1.1 200\n1.1 200\n");
    let seen = upstream.received();
    assert_eq!(seen.len(), 4);
    for seen in &seen {
        assert_eq!(seen.header("x-forwarded-proto"), ["https"]);
        assert_eq!(seen.header("x-forwarded-host"), ["a.test"]);
        assert_eq!(seen.header("x-forwarded-email"), ["viewer@example.com"]);
    }
    let refused = [&common[..4], &tell[..4], &["--http2", url]].concat();
    assert_eq!(curl(&refused), "2 401\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_over_http_2_is_one_and_leads_there() {
    let office = Office::with(&[("a", &["a.test"])]);
    let entries = "  - { address: '127.0.0.1:0', redirect_to_https: 443 }\n".to_owned()
        + &office.listen(&["a"], "");
    let (upstream, gateway) = start(&entries, "").await;
    let [plain, tls] = gateway.publics();
    let (connect_plain, connect) = (format!("a.test:80:{plain}"), to(tls));
    let ca = office.file("ca.crt");
    let url = "http://a.test/open";
    let args = ["--http2-prior-knowledge", "--connect-to", &connect_plain];
    let told = [
        "--write-out",
        "%{http_version} %{http_code} %{redirect_url}",
        url,
    ];
    assert_eq!(
        curl(&[&args[..], &told].concat()),
        "2 308 https://a.test/open"
    );
    // What upgrades or tunnels is led there as well, or refused.
    let upgrade = ["--http2", "--connect-to", &connect_plain];
    assert_eq!(
        curl(&[&upgrade[..], &told].concat()),
        "1.1 308 https://a.test/open"
    );
    assert!(upstream.received().is_empty());
    let follow = [
        "--location",
        "--connect-to",
        &connect,
        "--cacert",
        ca.to_str().unwrap(),
        "--write-out",
        " %{http_version} %{http_code}",
        "--data",
        "abc",
        url,
    ];
    let followed = curl(&[&args[1..], &follow].concat());
    assert_eq!(followed, "ok 2 200");
    assert_eq!(upstream.only().body, b"abc");
    assert!(upstream.only().line().starts_with("POST /open"));
}
