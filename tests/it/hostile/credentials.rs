//! Classes 24, 26 and 32: what proves who somebody is, and what does not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use portcullis::domain::KeyToken;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::ExposeSecret as _;

use super::{Bench, bearer, request};
use crate::support::gateway::until;
use crate::support::raw::Answer;
use crate::support::store::run;

fn basic(user: &str, key: &str) -> String {
    let pair = STANDARD.encode(format!("{user}:{key}"));
    format!("Authorization: Basic {pair}\r\n")
}

fn header(key: &str) -> String {
    format!("X-Portcullis-Key: {key}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn class_24_one_credential_a_request() {
    let bench = Bench::start().await;
    let (viewer, editor) = (&bench.keys.viewer, &bench.keys.editor);
    for (what, fields) in [
        ("two Authorization", bearer(viewer) + &bearer(editor)),
        ("two equal Authorization", bearer(viewer) + &bearer(viewer)),
        ("Basic and Bearer", basic("x", viewer) + &bearer(viewer)),
        ("a key and Authorization", header(viewer) + &bearer(editor)),
        ("the same twice", header(viewer) + &bearer(viewer)),
        ("two keys", header(viewer) + &header(editor)),
        (
            "a key and a foreign scheme",
            header(viewer) + "Authorization: Negotiate x\r\n",
        ),
        ("a key and nothing", header(viewer) + "Authorization:\r\n"),
    ] {
        bench.refused(what, 400, request("GET /things/7", &fields));
        bench.refused(what, 400, request("GET /open", &fields));
    }
    for (what, fields) in [
        (
            "a list",
            format!("Authorization: Bearer {viewer}, Bearer {editor}\r\n"),
        ),
        (
            "two in one",
            format!("Authorization: Bearer {viewer} {editor}\r\n"),
        ),
        (
            "another spelling",
            format!("X_Portcullis_Key: {viewer}\r\n"),
        ),
        ("the user of Basic", basic(viewer, "x")),
    ] {
        bench.refused(what, 401, request("GET /things/7", &fields));
    }
    for (what, fields) in [
        ("Bearer", bearer(viewer)),
        ("Basic", basic("anybody", viewer)),
        ("X-Portcullis-Key", header(viewer)),
    ] {
        let seen = bench.passes(what, request("GET /things/7", &fields));
        assert_eq!(seen.header("x-forwarded-user"), ["viewer@example.com"]);
        assert!(!seen.head.contains("uthorization") && !seen.head.contains("ortcullis-Key"));
    }
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_24_cookies_of_ours_are_taken_out_however_they_are_split() {
    let bench = Bench::start().await;
    for (fields, kept) in [
        ("Cookie: a=1; b=2\r\n", &["a=1; b=2"][..]),
        ("Cookie: a=1\r\nCookie: b=2\r\n", &["a=1; b=2"]),
        ("Cookie: __host-PORTCULLIS=s3cret; b=2\r\n", &["b=2"]),
        ("Cookie: __Host-portcullis =s3cret; b=2\r\n", &["b=2"]),
        ("Cookie: a=1, __Host-portcullis=s3cret\r\n", &[]),
        ("Cookie: \"portcullis-dev\"=s3cret; b=2\r\n", &["b=2"]),
        (
            "Cookie: portcullis=1; x__Host-portcullis=2\r\n",
            &["portcullis=1; x__Host-portcullis=2"],
        ),
    ] {
        let seen = bench.passes(fields, bench.viewer("GET /things/7", fields));
        assert_eq!(seen.header("cookie"), kept, "{fields}");
        assert!(!seen.head.contains("s3cret"), "{}", seen.head);
    }
    // In the spelling that a browser sends it is a credential, and one beside the key.
    for fields in [
        "Cookie: __Host-portcullis=s3cret\r\n",
        "Cookie: a=1; __Host-portcullis=s3cret; b=2\r\n",
        "Cookie: a=1;portcullis-dev=s3cret;b=2\r\n",
        "Cookie: a=1\r\nCookie: __Host-portcullis=s3cret; b=2\r\n",
        "Cookie: portcullis-dev=s3cret\r\ncookie: __Host-portcullis=s3cret\r\n",
    ] {
        bench.refused(fields, 400, bench.viewer("GET /things/7", fields));
    }
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_26_no_user_agent_path_or_header_opens_a_bypass() {
    let bench = Bench::start().await;
    for path in [
        "/health",
        "/healthz",
        "/livez",
        "/readyz",
        "/ping",
        "/metrics",
        "/version",
        "/favicon.ico",
        "/robots.txt",
        "/.well-known/oauth-authorization-server",
        "/.well-known/portcullis/keys.json",
        "/.portcullis/api/v1/keys",
        "/.portcullis/sign-in",
        "/",
    ] {
        for agent in ["kube-probe/1.30", "ELB-HealthChecker/2.0", "GoogleHC/1.0"] {
            let get = format!("GET {path}");
            let fields = format!("User-Agent: {agent}\r\n");
            bench.refused(path, 401, request(&get, &fields));
            bench.refused(path, 404, bench.viewer(&get, &fields));
        }
    }
    for fields in [
        "X-Portcullis-Bypass: true",
        "X-Portcullis-Principal: admin@example.com",
        "X-Portcullis-Roles: superadmin",
        "X-Portcullis-Project: acme/fraud",
        "X-Portcullis-Key:",
        "X-Forwarded-User: admin@example.com",
        "X-Forwarded-Email: admin@example.com\r\nX-Forwarded-Groups: superadmin",
        "X-Forwarded-Access-Token: admin",
        "X-Auth-Request-User: admin@example.com",
        "Remote-User: admin@example.com",
        "Authorization:",
        "Authorization: Bearer",
        "Authorization: Bearer null",
        "Authorization: Basic Og==",
        "Authorization: Basic YWRtaW46cGFzc3dvcmQ=",
        "Proxy-Authorization: Bearer admin",
        "Cookie: __Host-portcullis=admin",
        "Cookie: portcullis-dev=admin",
        "X-Internal: true",
        "X-Debug: 1",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        "Origin: http://gw\r\nAccess-Control-Request-Method: GET",
    ] {
        let fields = format!("{fields}\r\n");
        bench.refused(&fields, 401, request("GET /things/7", &fields));
        bench.refused(&fields, 401, request("OPTIONS /things/7", &fields));
    }
    let agent = "User-Agent: kube-probe/1.30\r\n";
    bench.passes("a public route", request("GET /open", agent));
    bench.passes("a key", bench.viewer("GET /things/7", agent));
    bench.audited().await;
}

/// A deleted tenant cannot be tested: tenants cannot be deleted yet.
#[tokio::test(flavor = "multi_thread")]
async fn class_32_every_rejected_credential_gets_the_very_same_answer() {
    let bench = Bench::start().await;
    let gateway = &bench.gateway;
    let rejected = rejected_keys(&bench).await;
    // The role table learns of a disabled user within moments.
    until("the user to be disabled", || {
        let answer = gateway.get("/things/7", &rejected.disabled);
        bench.remember(&answer);
        answer.status == 401
    });
    let mut told: Vec<(String, String)> = Vec::new();
    for (what, key) in rejected.named() {
        for fields in [bearer(&key), basic("x", &key), header(&key)] {
            for line in ["GET /things/7", "GET /open", "POST /none", "GET /closed"] {
                let before = bench.upstream.received().len();
                let answer = gateway.raw(request(line, &fields)).unwrap();
                assert_eq!(answer.status, 401, "{what}: {line}");
                assert_eq!(bench.upstream.received().len(), before, "{what}");
                bench.remember(&answer);
                told.push((format!("{what}: {line}"), without_id_and_date(&answer)));
            }
        }
    }
    let (_, first) = &told[0];
    for (what, words) in &told {
        assert_eq!(words, first, "{what}");
    }
    for key in [&bench.keys.viewer, &bench.keys.editor] {
        bench.passes("a good key", request("GET /things/7", &bearer(key)));
    }
    let events = bench.audited().await;
    for reason in [
        "credential_malformed",
        "credential_unknown",
        "credential_revoked",
        "credential_expired",
        "principal_disabled",
    ] {
        let told = events.iter().filter(|event| event["reason"] == reason);
        assert!(told.count() >= 12, "operators are told of {reason}");
    }
}

struct Rejected {
    good: String,
    revoked: String,
    expired: String,
    disabled: String,
}

impl Rejected {
    fn named(&self) -> Vec<(&'static str, String)> {
        let good = &self.good;
        let swap_last = |key: &str| {
            let other = if key.ends_with('0') { "1" } else { "0" };
            format!("{}{other}", &key[..key.len() - 1])
        };
        let unknown = KeyToken::generate(&mut StdRng::seed_from_u64(7)).reveal();
        let unknown = unknown.expose_secret().to_owned();
        vec![
            ("garbage", "garbage".to_owned()),
            (
                "a key in form only",
                "pcl_live_".to_owned() + &"x".repeat(62),
            ),
            ("truncated", good[..good.len() - 1].to_owned()),
            ("lengthened", format!("{good}0")),
            ("wrong checksum", swap_last(good)),
            ("wrong case", good.to_lowercase()),
            (
                "wrong case of the prefix",
                good.replacen("pcl_live", "PCL_LIVE", 1),
            ),
            ("unknown", unknown.clone()),
            ("another secret", other_secret(good, &unknown)),
            ("revoked", self.revoked.clone()),
            ("expired", self.expired.clone()),
            ("of a disabled principal", self.disabled.clone()),
        ]
    }
}

async fn rejected_keys(bench: &Bench) -> Rejected {
    let gateway = &bench.gateway;
    let key = || gateway.key("viewer@example.com", Some("acme/fraud"));
    let (revoked, expired) = (key(), key());
    gateway.cli(&["keys", "revoke", id(&revoked)]);
    let mut owner = gateway.postgres.owner().await;
    let past = "UPDATE api_keys SET created_at = created_at - interval '2 days', \
                expires_at = now() - interval '1 day' \
                WHERE id = (SELECT id FROM api_keys ORDER BY created_at DESC LIMIT 1)";
    assert_eq!(run(&mut owner, past).await.unwrap(), 1);
    gateway.cli(&["users", "create", "leaver@example.com"]);
    let member = [
        "members",
        "add",
        "--scope",
        "acme/fraud",
        "--role",
        "editor",
    ];
    gateway.cli(&[&member[..], &["--principal", "leaver@example.com"]].concat());
    let disabled = gateway.key("leaver@example.com", Some("acme/fraud"));
    gateway.cli(&["users", "disable", "leaver@example.com"]);
    Rejected {
        good: bench.keys.viewer.clone(),
        revoked,
        expired,
        disabled,
    }
}

/// The public part of a key.
fn id(key: &str) -> &str {
    key.split('_').nth(2).unwrap()
}

/// The id of one key with the secret of another, and a checksum that is right.
fn other_secret(key: &str, other: &str) -> String {
    let head = &key[..key.len() - 49];
    let secret = &other[other.len() - 49..other.len() - 6];
    let body = format!("{head}{secret}");
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let crc = crc32fast::hash(body.as_bytes()) as usize;
    let places = (0..6).rev().map(|place| crc / 62_usize.pow(place) % 62);
    body.clone()
        + &places
            .map(|digit| char::from(digits[digit]))
            .collect::<String>()
}

fn without_id_and_date(answer: &Answer) -> String {
    let id = answer.header("x-request-id")[0];
    let fields = answer.headers.iter().filter(|(name, _)| name != "Date");
    let head: Vec<_> = fields
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!("{}\n{}\n\n{}", answer.status, head.join("\n"), answer.body).replace(id, "<id>")
}
