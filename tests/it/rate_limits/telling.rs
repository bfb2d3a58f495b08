//! What clients are told.

use super::{send, start};
use crate::support::raw::Answer;

/// Without the seconds of `t`, which depend on those that a test takes.
fn without_times(field: &str) -> String {
    let (first, rest) = field.split_once(";t=").unwrap_or((field, ""));
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.is_empty() {
        first.to_owned()
    } else {
        format!("{first}{}", without_times(rest))
    }
}

fn fields(answer: &Answer) -> String {
    let field = |name: &str| without_times(&answer.header(name).join(" && "));
    format!(
        "{} policy [{}] limit [{}] retry-after [{}]",
        answer.status,
        field("ratelimit-policy"),
        field("ratelimit"),
        field("retry-after"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_that_was_counted_says_where_the_client_stands() {
    let sections = "rate: { address: 100/d, key: { limit: 24/d, burst: 4 } }\n";
    let (_upstream, gateway) = start(sections).await;
    let keys = gateway.seed();
    let told = [
        fields(&gateway.get("/things/1", &keys.viewer)),
        fields(&gateway.request("POST", "/things", &keys.viewer, "{}")),
        fields(&gateway.get("/few", &keys.viewer)),
        fields(&gateway.get("/few", &keys.viewer)),
        fields(&send(&gateway, "GET /fixed", "")),
        fields(&gateway.get("/things/1", "garbage")),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    200 policy ["address";q=100;w=86400, "key";q=4;w=14400] limit ["address";r=99, "key";r=3] retry-after []
    403 policy ["address";q=100;w=86400, "key";q=4;w=14400] limit ["address";r=98, "key";r=2] retry-after []
    200 policy ["address";q=100;w=86400, "key";q=4;w=14400, "route-key";q=2;w=3600] limit ["address";r=97, "key";r=1, "route-key";r=1] retry-after []
    200 policy ["address";q=100;w=86400, "key";q=4;w=14400, "route-key";q=2;w=3600] limit ["address";r=96, "key";r=0, "route-key";r=0] retry-after []
    200 policy ["address";q=100;w=86400] limit ["address";r=95] retry-after []
    401 policy ["address";q=100;w=86400] limit ["address";r=94] retry-after []
    "#);
    let refused = gateway.get("/few", &keys.viewer);
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after")[0].parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    let limit = refused.header("ratelimit")[0];
    assert!(
        limit.contains(&format!(r#", "key";r=0;t={wait}"#)),
        "{limit}"
    );
    insta::assert_snapshot!(refused.json()["code"], @r#""rate_limited""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_limits_nothing_is_told() {
    let (_upstream, gateway) = start("").await;
    let keys = gateway.seed();
    let answer = gateway.get("/things/1", &keys.viewer);
    assert_eq!(fields(&answer), "200 policy [] limit [] retry-after []");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_s_own_fields_pass_where_nothing_of_ours_counts() {
    use crate::support::gateway::{TestGateway, yaml};
    use crate::support::upstream::Upstream;
    use std::io::Write as _;

    let upstream = Upstream::with(|_, stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nRateLimit: \"backend\";r=7\r\nContent-Length: 0\r\n\r\n",
        )
    });
    let routes = "
  - { route: GET /free, upstream: app, public: \"for a test\" }
  - { route: GET /few, upstream: app, public: \"for a test\", rate: { address: 9/d } }
";
    let gateway = TestGateway::start(&yaml(upstream.address(), routes)).await;
    let limit = |target: &str| {
        let answer = send(&gateway, &format!("GET {target}"), "");
        answer.header("ratelimit").join(" && ")
    };
    assert_eq!(limit("/free"), "\"backend\";r=7");
    assert!(limit("/few").starts_with("\"route-address\";r=8;"));
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_and_routes_tell_the_limits() {
    let (_upstream, gateway) = start("rate: { address: 100/s }\n").await;
    gateway.seed();
    let explained = gateway.cli(&[
        "explain",
        "--principal",
        "viewer@example.com",
        "GET",
        "/few",
    ]);
    let line = explained.lines().find(|line| line.contains("limited to"));
    assert_eq!(line, Some("  limited to  address 100/s, route-key 2/h"));
    let routes = gateway.cli(&["routes"]);
    let few = routes.lines().find(|line| line.contains("/few")).unwrap();
    assert!(few.contains("key 2/h"), "{few}");
}
