//! `portcullis explain`: the answer to "why was I refused?".

use crate::support::gateway::{TestGateway, yaml};
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - route: GET /things/{id}
    upstream: app
    permission: datasets:read
    resource: { type: thing, id: path.id }
  - route: POST /things
    upstream: app
    permission: datasets:create
  - route: GET /platform
    upstream: app
    permission: datasets:read
    scope: platform
  - route: POST /runs
    upstream: app
    permission: runs:update
    references: [ { type: run, id: \"body./runs/*\" } ]
    forbid: [ { at: body./force, reason: never by force } ]
resources:
  - { type: thing, upstream: app, owner: backend }
";

fn explain(gateway: &TestGateway, args: &[&str]) -> String {
    let all: Vec<&str> = ["explain"].iter().chain(args).copied().collect();
    let (code, text) = gateway.cli_code(&all);
    let config = gateway.config();
    let dir = format!("{}/", config.parent().unwrap().display());
    let text = text.replace(&dir, "");
    // Binding ids differ from run to run.
    let text = text.lines().map(|line| {
        line.split_once(" by binding ")
            .map_or(line.to_owned(), |(before, _)| {
                format!("{before} by binding …")
            })
    });
    format!("exit code {code}\n{}", text.collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_which_route_permission_and_binding_without_sending_anything() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    gateway.seed();
    let viewer = ["--principal", "viewer@example.com"];
    let admin = ["--principal", "admin@example.com"];
    let owner = ["--principal", "owner@example.com"];
    let asked = [
        explain(&gateway, &[&viewer[..], &["GET", "/things/7?x=1"]].concat()),
        explain(
            &gateway,
            &[&viewer[..], &["POST", "http://any.host/things"]].concat(),
        ),
        explain(&gateway, &[&owner[..], &["POST", "/things"]].concat()),
        explain(&gateway, &[&admin[..], &["POST", "/things"]].concat()),
        explain(
            &gateway,
            &[&admin[..], &["--project", "acme/fraud", "POST", "/things"]].concat(),
        ),
        explain(
            &gateway,
            &[
                &viewer[..],
                &["--project", "globex/churn", "POST", "/things"],
            ]
            .concat(),
        ),
        explain(&gateway, &[&viewer[..], &["GET", "/platform"]].concat()),
        explain(&gateway, &[&viewer[..], &["GET", "/none"]].concat()),
        explain(&gateway, &[&viewer[..], &["PUT", "/things"]].concat()),
    ];
    insta::assert_snapshot!(asked.join("\n\n"));
    assert!(upstream.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_explains_itself() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let id = keys.editor.split('_').nth(2).unwrap();
    let args = [
        "--principal",
        "editor@example.com",
        "--key",
        id,
        "POST",
        "/things",
    ];
    assert!(explain(&gateway, &args).starts_with("exit code 0"));
    gateway.cli(&["keys", "revoke", id]);
    let told = explain(&gateway, &args);
    assert!(
        told.starts_with("exit code 7") && told.contains("credential_revoked"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_reads_the_body_and_tells_what_it_depends_on() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    gateway.seed();
    let ask = |body: &str| {
        let who = ["--principal", "owner@example.com", "--body", body];
        explain(&gateway, &[&who[..], &["POST", "/runs"]].concat())
    };
    let open = ask(r#"{"runs":["a","b"]}"#);
    assert!(open.starts_with("exit code 7\nUNDECIDED"), "{open}");
    assert!(open.contains("run a") && open.contains("run b"), "{open}");
    let forbidden = ask(r#"{"runs":["a"],"force":true}"#);
    assert!(forbidden.starts_with("exit code 7\nDENIED"), "{forbidden}");
    assert!(forbidden.contains("never by force"), "{forbidden}");
    let doubled = ask(r#"{"runs":["a"],"runs":["b"]}"#);
    assert!(doubled.starts_with("exit code 1\n"), "{doubled}");
}
