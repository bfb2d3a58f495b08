//! Classes 19 and 25: what other proxies say.

use super::{Bench, bearer, request};

/// Fields by which some servers let a proxy replace what was asked for.
const OVERRIDES: [&str; 16] = [
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Forwarded-Uri",
    "X-Forwarded-Prefix",
    "X-Forwarded-Path",
    "X-Forwarded-Method",
    "X-Forwarded-Host",
    "X-Forwarded-Server",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Request-Id",
];

fn overrides(value: &str) -> String {
    OVERRIDES
        .map(|name| format!("{name}: {value}\r\n"))
        .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn class_19_overrides_are_not_believed_and_not_forwarded() {
    for more in ["", "trusted_proxies: [127.0.0.1/32]\n"] {
        let bench = Bench::with(more).await;
        for value in ["/closed", "POST", "evil", "https"] {
            let fields = overrides(value);
            let seen = bench.passes(value, bench.viewer("GET /things/7", &fields));
            assert_eq!(seen.line(), "GET /things/7 HTTP/1.1");
            for name in OVERRIDES {
                let believed = match name {
                    "X-Forwarded-Proto" => !more.is_empty() && value == "https",
                    "X-Request-Id" => !more.is_empty(),
                    _ => false,
                };
                let told = seen.header(name).contains(&value);
                assert_eq!(told, believed, "{name}: {value}, {more}");
            }
            // The same id for all of them, should it be believed: none for these.
            let fields = fields.replace("X-Request-Id", "X-Ignored");
            bench.refused(value, 403, bench.viewer("GET /closed", &fields));
            bench.refused(value, 403, bench.viewer("POST /things", &fields));
        }
        let fields = overrides("/open");
        bench.refused(
            "no way around a denial",
            403,
            bench.viewer("GET /closed", &fields),
        );
        bench.refused(
            "no way around a key",
            401,
            request("GET /things/7", &fields),
        );
        bench.audited().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn class_25_an_untrusted_peer_is_itself() {
    let bench = Bench::start().await;
    for field in [
        "X-Forwarded-For: 198.51.100.7",
        "X-Forwarded-For: \"198.51.100.7\"",
        "X-Forwarded-For: evil",
        "Forwarded: for=198.51.100.7;host=evil;proto=https",
        "X-Real-IP: 198.51.100.7",
        "X-Client-IP: 198.51.100.7",
        "CF-Connecting-IP: 198.51.100.7",
        "True-Client-IP: 198.51.100.7",
    ] {
        let seen = bench.passes(
            field,
            bench.viewer("GET /things/7", &format!("{field}\r\n")),
        );
        assert_eq!(seen.header("x-forwarded-for"), ["127.0.0.1"], "{field}");
        assert_eq!(seen.header("x-forwarded-proto"), ["http"], "{field}");
        let head = seen.head.to_lowercase();
        assert!(!head.contains("198.51") && !head.contains("evil"), "{head}");
    }
    for event in bench.audited().await {
        assert_eq!(event["ip"], "127.0.0.1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn class_25_behind_a_trusted_proxy_the_right_most_untrusted_hop_counts() {
    let bench = Bench::with("trusted_proxies: [127.0.0.1/32, 10.0.0.0/8]\n").await;
    let rows = [
        ("X-Forwarded-For: 198.51.100.7", "198.51.100.7"),
        ("X-Forwarded-For: 203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("X-Forwarded-For: 198.51.100.7, 10.1.2.3", "198.51.100.7"),
        (
            "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.7",
            "198.51.100.7",
        ),
        ("X-Forwarded-For: 2001:db8::1", "2001:db8::1"),
        ("X-Forwarded-For: \"198.51.100.7\"", "127.0.0.1"),
        ("X-Forwarded-For: 198.51.100.7:80", "127.0.0.1"),
        ("X-Forwarded-For: unknown", "127.0.0.1"),
        ("X-Forwarded-For: 198.51.100.7, unknown", "127.0.0.1"),
        ("Forwarded: for=198.51.100.7", "127.0.0.1"),
        ("X-Real-IP: 198.51.100.7", "127.0.0.1"),
    ];
    for (fields, ip) in rows {
        let seen = bench.passes(
            fields,
            bench.viewer("GET /things/7", &format!("{fields}\r\n")),
        );
        assert_eq!(seen.header("x-forwarded-for"), [ip], "{fields}");
    }
    let events = bench.audited().await;
    let ips: Vec<_> = events
        .iter()
        .map(|event| event["ip"].as_str().unwrap())
        .collect();
    assert_eq!(ips, rows.map(|(_, ip)| ip));
}

#[tokio::test(flavor = "multi_thread")]
async fn class_25_a_forwarded_address_opens_nothing() {
    let bench = Bench::with("trusted_proxies: [127.0.0.1/32]\n").await;
    for ip in ["127.0.0.1", "::1", "10.0.0.1"] {
        let fields = format!("X-Forwarded-For: {ip}\r\n");
        bench.refused(ip, 401, request("GET /things/7", &fields));
    }
    let fields = bearer(&bench.keys.viewer);
    bench.passes("a key", request("GET /things/7", &fields));
    bench.audited().await;
}
