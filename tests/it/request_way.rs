//! The way of a request, end to end.

use crate::support::gateway::{TestGateway, yaml};
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - route: GET /things/{id}
    upstream: app
    permission: datasets:read
    resource: { type: thing, id: path.id }
    event: thing.read
  - route: POST /things
    upstream: app
    permission: datasets:create
    event: thing.created
  - route: GET /whoami
    upstream: app
    authenticated: true
  - route: GET /health
    upstream: app
    public: \"liveness, tells nothing\"
  - route: GET /closed
    deny: \"for a test\"
resources:
  - { type: thing, upstream: app, owner: backend }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_permitted_request_reaches_the_backend_with_the_identity() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let answer = gateway.get("/things/7?x=1", &keys.viewer);
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let seen = upstream.only();
    assert_eq!(seen.line(), "GET /things/7?x=1 HTTP/1.1");
    assert_eq!(seen.header("host"), [upstream.address().to_string()]);
    assert_eq!(seen.header("x-forwarded-email"), ["viewer@example.com"]);
    assert_eq!(seen.header("x-portcullis-tenant"), ["acme"]);
    assert_eq!(seen.header("x-portcullis-project"), ["fraud"]);
    assert_eq!(seen.header("x-portcullis-roles"), ["viewer"]);
    assert!(seen.header("authorization").is_empty());
    assert_eq!(seen.header("x-request-id"), answer.header("x-request-id"));
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event["event"], "thing.read");
    assert_eq!(event["result"], "success");
    assert_eq!(event["tenant"], "acme");
    assert_eq!(event["project"], "fraud");
    assert_eq!(event["actor_email"], "viewer@example.com");
    assert_eq!(event["resource_type"], "thing");
    assert_eq!(event["resource_id"], "7");
    assert_eq!(event["status"], 200);
    assert_eq!(event["ip"], "127.0.0.1");
    assert_eq!(event["request_id"], answer.header("x-request-id")[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_in_its_words() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let mut told = Vec::new();
    let mut tell = |what: &str, answer: crate::support::raw::Answer| {
        let body = answer.json();
        told.push(format!(
            "{what}: {} {} | {}",
            answer.status, body["code"], body["detail"]
        ));
    };
    tell(
        "no key",
        gateway
            .raw("GET /things/7 HTTP/1.1\r\nHost: gw\r\n\r\n")
            .unwrap(),
    );
    tell(
        "no key, no route",
        gateway
            .raw("GET /none HTTP/1.1\r\nHost: gw\r\n\r\n")
            .unwrap(),
    );
    tell("garbage key", gateway.get("/things/7", "garbage"));
    tell(
        "viewer writes",
        gateway.request("POST", "/things", &keys.viewer, "{}"),
    );
    tell("no route", gateway.get("/none", &keys.viewer));
    tell(
        "wrong method",
        gateway.request("DELETE", "/things/7", &keys.viewer, ""),
    );
    tell("closed", gateway.get("/closed", &keys.admin));
    tell("no project", gateway.get("/things/7", &keys.admin));
    tell(
        "reserved",
        gateway.get("/.portcullis/api/v1/x", &keys.admin),
    );
    tell("dots", gateway.get("/things/../closed", &keys.admin));
    insta::assert_snapshot!(told.join("\n"));
    assert!(upstream.received().is_empty());
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), told.len());
    assert!(events.iter().all(|event| event["result"] == "denied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn public_routes_need_nobody_and_tell_nobody() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let answer = gateway
        .raw("GET /health HTTP/1.1\r\nHost: gw\r\n\r\n")
        .unwrap();
    assert_eq!(answer.status, 200);
    let seen = upstream.only();
    assert!(
        !seen.head.to_lowercase().contains("x-portcullis"),
        "{}",
        seen.head
    );
    assert!(seen.header("x-forwarded-user").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_its_project_where_the_key_leaves_it_open() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let named = |project: &str| {
        let request = format!(
            "GET /things/7 HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
             X-Portcullis-Project: {project}\r\n\r\n",
            keys.admin
        );
        gateway.raw(request).unwrap().status
    };
    assert_eq!(named("acme/fraud"), 200);
    assert_eq!(named("globex--churn"), 200);
    assert_eq!(named("acme/none"), 403);
    assert_eq!(named("none/none"), 403);
    let projects: Vec<String> = upstream
        .received()
        .iter()
        .map(|seen| seen.header("x-portcullis-project").join(","))
        .collect();
    assert_eq!(projects, ["fraud", "churn"]);
}
