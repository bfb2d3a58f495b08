//! `portcullis explain`: the answer to "why was I refused?".

use crate::support::gateway::{TestGateway, yaml};
use crate::support::platform::Platform;
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
async fn explain_reads_the_body_as_the_gateway_does() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    gateway.seed();
    adopt(&gateway, &["run", "a", "b"], "acme/fraud");
    let ask = |body: &str| {
        let who = ["--principal", "owner@example.com", "--body", body];
        explain(&gateway, &[&who[..], &["POST", "/runs"]].concat())
    };
    let open = ask(r#"{"runs":["a","b"]}"#);
    assert!(open.starts_with("exit code 0\nPERMITTED"), "{open}");
    let forbidden = ask(r#"{"runs":["a"],"force":true}"#);
    assert!(forbidden.starts_with("exit code 7\nDENIED"), "{forbidden}");
    assert!(forbidden.contains("never by force"), "{forbidden}");
    let doubled = ask(r#"{"runs":["a"],"runs":["b"]}"#);
    assert!(doubled.starts_with("exit code 1\n"), "{doubled}");
    assert!(upstream.received().is_empty());
}

const OWNED: &str = "
  - route: GET /datasets/{id}
    upstream: app
    permission: datasets:read
    resource: { type: dataset, id: path.id }
  - route: PATCH /datasets/{id}
    upstream: app
    permission: datasets:update
    resource: { type: dataset, id: path.id }
    when: resource.environment != \"frozen\"
  - route: GET /datasets
    upstream: app
    permission: datasets:read
    filter: { items: response.body./datasets, type: dataset, id: /id }
  - route: GET /versions
    upstream: app
    permission: datasets:read
    resource: { type: version, id: query.id }
  - route: GET /runs/{id}
    upstream: app
    permission: runs:read
    resource: { type: run, id: path.id }
resources:
  - { type: run, upstream: app, via: { type: dataset, request: \"GET /runs/{id}\", id: /run/experiment } }
  - { type: version, upstream: app, via: { type: dataset, prefix: \"/\" } }
";

fn adopt(gateway: &TestGateway, what: &[&str], project: &str) {
    let words = ["resources", "adopt", "app"];
    gateway.cli(&[&words[..], what, &["--project", project]].concat());
}

/// Why was I refused: whose the object is, who may do what with it, and what is denied.
#[tokio::test(flavor = "multi_thread")]
async fn explain_looks_up_whose_the_objects_are() {
    let platform = Platform::start();
    let gateway = TestGateway::prepare(&yaml(platform.address(), OWNED)).await;
    gateway.seed();
    adopt(&gateway, &["dataset", "own"], "acme/fraud");
    adopt(&gateway, &["dataset", "foreign"], "globex/churn");
    platform.put_run("r1", "own");
    let bind = |more: &[&str]| {
        let words = ["members", "add", "--principal", "viewer@example.com"];
        gateway.cli(&[&words[..], more].concat())
    };
    bind(&[
        "--on-resource",
        "app/dataset/own",
        "--role",
        "data_scientist",
    ]);
    let ask = |args: &[&str]| {
        let who = ["--principal", "viewer@example.com"];
        mask(&explain(&gateway, &[&who[..], args].concat()))
    };
    let mut asked = vec![
        ask(&["GET", "/datasets/own"]),
        ask(&["PATCH", "/datasets/own"]),
        ask(&["GET", "/datasets/foreign"]),
        ask(&["GET", "/datasets/none"]),
        ask(&["--project", "acme/fraud", "GET", "/datasets"]),
        ask(&["GET", "/versions?id=own/3"]),
        ask(&["GET", "/runs/r1"]),
    ];
    assert!(platform.upstream.received().is_empty());
    asked.push(ask(&["--ask", "GET", "/runs/r1"]));
    asked.push(ask(&["--ask", "GET", "/runs/r2"]));
    assert_eq!(platform.asked("GET /runs/"), 2);
    let dev = "resource.environment == \"\"";
    bind(&[
        "--scope",
        "acme/fraud",
        "--role",
        "editor",
        "--deny",
        "--when",
        dev,
    ]);
    asked.push(ask(&["PATCH", "/datasets/own"]));
    insta::assert_snapshot!(asked.join("\n\n"));
}

/// Ids of records differ from run to run.
fn mask(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| match line.split_once(" on object ") {
            Some((before, rest)) => format!("{before} on object …{}", &rest[36..]),
            None => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// A backend that does not answer leaves nothing to say.
#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_that_a_backend_does_not_tell() {
    let platform = Platform::start();
    platform.answer_all(Some(("500 Internal Server Error", "{}")));
    let gateway = TestGateway::prepare(&yaml(platform.address(), OWNED)).await;
    gateway.seed();
    let args = [
        "--principal",
        "viewer@example.com",
        "--ask",
        "GET",
        "/runs/r1",
    ];
    let told = explain(&gateway, &args);
    assert!(told.starts_with("exit code 1"), "{told}");
}
