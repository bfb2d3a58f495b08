//! Class 16: hosts.

use super::{Bench, bearer};
use crate::support::gateway::TestGateway;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn class_16_there_is_exactly_one_well_formed_host() {
    let bench = Bench::start().await;
    let key = bearer(&bench.keys.viewer);
    for (what, hosts) in [
        ("no Host", ""),
        ("an empty Host", "Host:\r\n"),
        ("two Hosts", "Host: gw\r\nHost: other\r\n"),
        ("two equal Hosts", "Host: gw\r\nHost: gw\r\n"),
        ("two Hosts apart", "Host: gw\r\nAccept: */*\r\nhOST: gw\r\n"),
        ("a list", "Host: gw, other\r\n"),
        ("a path", "Host: gw/things\r\n"),
        ("a user", "Host: user@gw\r\n"),
        ("a blank", "Host: g w\r\n"),
        ("a blank before the colon", "Host : gw\r\n"),
        ("an empty port", "Host: gw:\r\n"),
        ("no port", "Host: gw:http\r\n"),
        ("a signed port", "Host: gw:+80\r\n"),
        ("a large port", "Host: gw:65536\r\n"),
        ("two ports", "Host: gw:80:80\r\n"),
        ("an empty label", "Host: a..b\r\n"),
        ("half an IPv6 address", "Host: [::1\r\n"),
        ("an escape", "Host: %67w\r\n"),
        ("a NUL", "Host: gw\0\r\n"),
        ("a folded line", "Host: gw\r\n x\r\n"),
    ] {
        let raw = format!("GET /things/7 HTTP/1.1\r\n{hosts}{key}\r\n");
        bench.refused(what, 400, raw);
    }
    let old = format!("GET /things/7 HTTP/1.0\r\n{key}\r\n");
    bench.refused("HTTP/1.0 without Host", 400, old);
    for host in ["gw", "GW.", "gw:8080", "127.0.0.1", "[::1]:80"] {
        let raw = format!("GET /things/7 HTTP/1.1\r\nHost: {host}\r\n{key}\r\n");
        bench.passes(host, raw);
    }
    let old = format!("GET /things/7 HTTP/1.0\r\nHost: gw\r\n{key}\r\n");
    bench.passes("HTTP/1.0 with Host", old);
    bench.audited().await;
}

/// The backend that chooses by host sees the host that was decided upon.
#[tokio::test(flavor = "multi_thread")]
async fn class_16_case_and_trailing_dot_of_a_host_do_not_change_the_decision() {
    let upstream = Upstream::ok();
    let yaml = format!(
        r#"
upstreams:
  app: {{ url: "http://{}", host: client }}
routes:
  - route: GET /only
    hosts: [ml.example.com]
    upstream: app
    permission: datasets:read
  - route: GET /only
    deny: "another host"
"#,
        upstream.address()
    );
    let gateway = TestGateway::start(&yaml).await;
    let bench = Bench::around(upstream, gateway);
    let key = bearer(&bench.keys.viewer);
    let get = |host: &str| format!("GET /only HTTP/1.1\r\nHost: {host}\r\n{key}\r\n");
    for (host, forwarded) in [
        ("ml.example.com", "ml.example.com"),
        ("ML.Example.COM", "ml.example.com"),
        ("ml.example.com.", "ml.example.com"),
        ("Ml.example.com.:8443", "ml.example.com:8443"),
    ] {
        let seen = bench.passes(host, get(host));
        assert_eq!(seen.header("host"), [forwarded]);
        assert_eq!(seen.header("x-forwarded-host"), [forwarded]);
    }
    for host in [
        "other.example.com",
        "example.com",
        "ml.example.com.evil",
        "xml.example.com",
    ] {
        bench.refused(host, 403, get(host));
    }
    bench.audited().await;
}
