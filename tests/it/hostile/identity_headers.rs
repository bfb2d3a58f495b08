//! Classes 21, 22 and 23: nobody but the gateway says who it is.

use std::io::Write as _;

use super::{Bench, ROUTES, bearer, request};
use crate::support::gateway::{TestGateway, yaml};
use crate::support::upstream::Upstream;

/// Ours by default, by configuration, by reservation, or by another proxy's habit.
const OWNED: [&str; 17] = [
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Groups",
    "X-Forwarded-Access-Token",
    "X-Forwarded-For",
    "X-Portcullis-Principal",
    "X-Portcullis-Tenant",
    "X-Portcullis-Project",
    "X-Portcullis-Roles",
    "X-Portcullis-Assertion",
    "X-Portcullis-Anything",
    "X-MLFLOW-WORKSPACE",
    "X-Requested-With",
    "X-Real-IP",
    "Remote-User",
    "X-Auth-Request-User",
];

/// Nor does the client hear from a backend what only the gateway says.
#[tokio::test(flavor = "multi_thread")]
async fn no_header_and_no_cookie_of_ours_comes_from_a_backend() {
    let upstream = Upstream::with(|_, stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nX-Portcullis-Tenant: evil\r\nx-portcullis-assertion: evil\r\n\
              Set-Cookie: a=b; Path=/\r\nSet-Cookie: __host-portcullis=evil; Path=/; Secure\r\n\
              Set-Cookie: \"portcullis-dev\"=evil\r\nX-Other: y\r\nContent-Length: 2\r\n\r\nok",
        )
    });
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let answer = gateway.raw(request("GET /open", "")).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    assert_eq!(answer.header("set-cookie"), ["a=b; Path=/"]);
    assert_eq!(answer.header("x-other"), ["y"]);
    let evil = answer
        .headers
        .iter()
        .find(|(_, value)| value.contains("evil"));
    assert_eq!(evil, None);
}

/// Every owned name in many spellings, except those that decide: the exact
/// `X-Portcullis-Project` is input, and is refused if it names nothing.
fn forged() -> String {
    let spellings = |name: &str| {
        [
            name.to_owned(),
            name.to_uppercase(),
            name.to_lowercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
            name.replacen('-', "_", 1),
            name.to_lowercase().replacen('-', ".", 1),
        ]
    };
    let all = OWNED.iter().flat_map(|name| spellings(name));
    all.filter(|name| !name.eq_ignore_ascii_case("X-Portcullis-Project"))
        .fold(String::new(), |fields, name| fields + &name + ": evil\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn class_21_no_header_of_ours_comes_from_a_client() {
    let bench = Bench::with("limits: { header_count: 250 }\n").await;
    let forged = forged();
    let viewer = bench.passes("with a project", bench.viewer("GET /things/7", &forged));
    for (name, value) in [
        ("x-forwarded-user", "viewer@example.com"),
        ("x-forwarded-email", "viewer@example.com"),
        ("x-forwarded-groups", "viewer"),
        ("x-portcullis-tenant", "acme"),
        ("x-portcullis-project", "fraud"),
        ("x-mlflow-workspace", "acme--fraud"),
        ("x_requested_with", "fraud"),
    ] {
        assert_eq!(viewer.header(name), [value], "{name}");
    }
    // The superadmin names no project: the backend is told of none.
    let admin = format!("{}{forged}", bearer(&bench.keys.admin));
    let admin = bench.passes("without a project", request("GET /whoami", &admin));
    let fields = format!("{forged}X-Portcullis-Project: evil\r\n");
    let public = bench.passes("public", request("GET /open", &fields));
    for seen in [&viewer, &admin, &public] {
        assert!(!seen.head.contains("evil"), "{}", seen.head);
    }
    for name in [
        "x-portcullis-project",
        "x-mlflow-workspace",
        "x_requested_with",
    ] {
        assert!(admin.header(name).is_empty(), "{name}: {}", admin.head);
    }
    for name in OWNED.iter().filter(|name| **name != "X-Forwarded-For") {
        assert!(public.header(name).is_empty(), "{name}: {}", public.head);
    }
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_21_a_named_project_is_checked_and_written_anew() {
    let bench = Bench::start().await;
    let named = |name: &str| {
        let fields = format!(
            "{}X-Portcullis-Project: {name}\r\n",
            bearer(&bench.keys.admin)
        );
        request("GET /things/7", &fields)
    };
    for name in [
        "evil",
        "acme/none",
        "none/fraud",
        "acme/fraud/x",
        "acme--fraud--x",
    ] {
        bench.refused(name, 403, named(name));
    }
    let twice = "acme/fraud\r\nX-Portcullis-Project: globex/churn";
    bench.refused("two projects", 400, named(twice));
    bench.refused("an empty project", 400, named(""));
    let seen = bench.passes("its own", named("acme/fraud"));
    assert_eq!(seen.header("x-portcullis-project"), ["fraud"]);
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_22_connection_cannot_take_our_headers_away() {
    let bench = Bench::start().await;
    for fields in [
        "Connection: x-portcullis-tenant, x-forwarded-user\r\n",
        "Connection: X-Portcullis-Tenant\r\nConnection: X-Forwarded-User\r\n",
        "Connection: keep-alive, x-mlflow-workspace, x-request-id\r\n",
        "Connection: close, x-portcullis-tenant\r\nX-Portcullis-Tenant: evil\r\n",
        "Proxy-Connection: x-portcullis-tenant\r\nKeep-Alive: x-portcullis-tenant\r\n",
    ] {
        let seen = bench.passes(fields, bench.viewer("GET /things/7", fields));
        assert_eq!(seen.header("x-portcullis-tenant"), ["acme"], "{fields}");
        assert_eq!(seen.header("x-forwarded-user"), ["viewer@example.com"]);
        assert_eq!(seen.header("x-mlflow-workspace"), ["acme--fraud"]);
        let connection = seen.header("connection").join(",").to_lowercase();
        assert!(!connection.contains("x-"), "{connection}");
    }
    for fields in ["Connection: host\r\n", "Connection: :path\r\n"] {
        bench.refused(fields, 400, bench.viewer("GET /things/7", fields));
    }
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn class_23_identity_in_trailers_is_never_merged() {
    let bench = Bench::start().await;
    let post = |trailers: &str| {
        let fields = format!(
            "{}Transfer-Encoding: chunked\r\nTrailer: X-Portcullis-Tenant\r\nTE: trailers\r\n\r\n\
             2\r\n{{}}\r\n0\r\n{trailers}",
            bearer(&bench.keys.editor)
        );
        request("POST /things", &fields)
    };
    for trailers in [
        "X-Portcullis-Tenant: evil\r\n",
        "X-Forwarded-User: evil\r\nAuthorization: Bearer evil\r\n",
        "Content-Length: 100\r\nHost: evil\r\n",
    ] {
        let before = bench.upstream.received().len();
        let answer = bench.gateway.raw(post(trailers)).unwrap();
        bench.remember(&answer);
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        for seen in &bench.upstream.received()[before..] {
            assert!(!seen.head.contains("evil"), "{trailers}: {}", seen.head);
            assert_eq!(seen.header("x-portcullis-tenant"), ["acme"]);
            assert!(seen.header("trailer").is_empty() && seen.header("te").is_empty());
        }
    }
    let seen = bench.passes("no trailers", post(""));
    assert_eq!(seen.body, b"{}");
    bench.audited().await;
}
