//! HTTP/2 to the backend, and gRPC through: heads, messages and trailers, end to end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request};
use serde_json::json;

use crate::support::gateway::{Keys, TestGateway, until};
use crate::support::http2_peers::{self as peers, Client, fields, head, reply, request};
use crate::support::load;
use crate::support::upstream::{Upstream, respond};

/// Heads that the backend received.
type Seen = Arc<Mutex<Vec<HeaderMap>>>;

const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");
/// An uncompressed message of three bytes.
const MESSAGE: &[u8] = b"\0\0\0\0\x03abc";

/// A backend that behaves as its path says.
async fn behave(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, seen: Seen) {
    let (parts, mut body) = request.into_parts();
    let way = parts.uri.path().rsplit('/').next().unwrap().to_owned();
    seen.lock().unwrap().push(parts.headers);
    if way == "break" {
        let first = body.data().await.unwrap().unwrap();
        let mut stream = respond.send_response(head(200, &[GRPC]), false).unwrap();
        stream.send_data(first, false).unwrap();
        // Only when the client has seen that much and said so.
        drop(peers::read(&mut body).await);
        return stream.send_reset(Reason::INTERNAL_ERROR);
    }
    let Ok(message) = peers::read(&mut body).await else {
        return;
    };
    let ok = head(200, &[GRPC]);
    match way.as_str() {
        "Echo" => {
            let mut stream = respond.send_response(ok, false).unwrap();
            stream.send_data(message.into(), false).unwrap();
            let trailers = fields(&[("grpc-status", "0"), ("grpc-message", "fine")]);
            stream.send_trailers(trailers).unwrap();
        }
        "Fail" => {
            let early = head(200, &[GRPC, ("grpc-status", "5"), ("grpc-message", "none")]);
            respond.send_response(early, true).unwrap();
        }
        "bare" => drop(respond.send_response(head(200, &[]), true).unwrap()),
        "refuse" => respond.send_reset(Reason::REFUSED_STREAM),
        _ => {
            let mut stream = respond.send_response(head(200, &[]), false).unwrap();
            stream.send_data(message.into(), true).unwrap();
        }
    }
}

async fn start() -> (Seen, TestGateway) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let address =
        peers::backend(move |request, respond| behave(request, respond, Arc::clone(&log))).await;
    (seen, TestGateway::start(&config(address, "")).await)
}

/// The same, with keys and a client.
async fn connected() -> (Seen, TestGateway, Keys, Client) {
    let (seen, gateway) = start().await;
    let keys = gateway.seed();
    let client = Client::connect(gateway.public()).await;
    (seen, gateway, keys, client)
}

fn config(address: SocketAddr, more: &str) -> String {
    format!(
        "upstreams:\n  app: {{ url: \"http://{address}\", http2: true{more} }}\nroutes:\n\
           - {{ route: \"POST /svc/{{method}}\", upstream: app, permission: datasets:read }}\n\
           - {{ route: \"GET|POST /plain/{{way}}\", upstream: app, permission: datasets:read }}\n\
           - {{ route: \"POST /other/{{method}}\", upstream: app, permission: datasets:create }}\n"
    )
}

/// Status, result and reason of each event.
async fn told(gateway: &TestGateway) -> Vec<serde_json::Value> {
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let told = events
        .iter()
        .map(|event| json!([event["status"], event["result"], event["reason"]]));
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_passes_with_its_metadata_and_its_trailers() {
    let (seen, gateway, keys, client) = connected().await;
    let more = [
        GRPC,
        ("te", "trailers"),
        ("grpc-timeout", "5S"),
        ("grpc-encoding", "identity"),
        ("grpc-accept-encoding", "gzip"),
        ("x-portcullis-tenant", "evil"),
    ];
    let reply = client
        .call(request("POST", "/svc/Echo", &keys.viewer, &more), MESSAGE)
        .await
        .unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, MESSAGE));
    assert_eq!(reply.header("content-type"), GRPC.1);
    assert_eq!(reply.trailer("grpc-status"), "0");
    assert_eq!(reply.trailer("grpc-message"), "fine");
    let seen = seen.lock().unwrap().clone();
    for (name, value) in &more[..5] {
        assert_eq!(seen[0][*name], *value);
    }
    assert_eq!(seen[0]["x-portcullis-tenant"], "acme");
    assert_eq!(seen[0]["x-request-id"], reply.header("x-request-id"));
    assert!(!seen[0].contains_key("authorization"));
    assert_eq!(told(&gateway).await, [json!([200, "success", null])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_came_to_is_in_its_event() {
    let (_seen, gateway, keys, client) = connected().await;
    let call = request("POST", "/svc/Fail", &keys.viewer, &[GRPC]);
    let reply = client.call(call, MESSAGE).await.unwrap();
    assert_eq!(reply.header("grpc-status"), "5");
    assert!(reply.trailers.is_none());
    assert_eq!(
        told(&gateway).await,
        [json!([200, "failed", "upstream_grpc_5"])]
    );
}

/// Only `te: trailers`, only from a client that gets trailers.
#[tokio::test(flavor = "multi_thread")]
async fn te_asks_for_trailers_or_is_dropped() {
    let (seen, gateway, keys, client) = connected().await;
    // The library refuses to send other values: the front is asked for what it would do.
    let call = request("GET", "/plain/x", &keys.viewer, &[("te", "trailers")]);
    assert_eq!(client.call(call, b"").await.unwrap().status, 200);
    let http1 = "GET /plain/x HTTP/1.1\r\nHost: gw\r\nTE: trailers\r\nConnection: TE\r\n";
    let http1 = format!("{http1}Authorization: Bearer {}\r\n\r\n", keys.viewer);
    assert_eq!(gateway.raw(http1).unwrap().status, 200);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0]["te"], "trailers");
    assert!(!seen[1].contains_key("te"));
}

/// HOSTILE 23.
#[tokio::test(flavor = "multi_thread")]
async fn class_23_trailers_of_a_client_are_merged_into_nothing() {
    let (seen, gateway, keys, client) = connected().await;
    let call = request("POST", "/plain/x", &keys.viewer, &[("x-extra", "1")]);
    let (answer, mut sender) = client.send(call, false).await.unwrap();
    sender
        .send_data(Bytes::from_static(b"body"), false)
        .unwrap();
    let evil = fields(&[
        ("x-portcullis-tenant", "evil"),
        ("x-forwarded-user", "evil"),
        ("authorization", "Bearer evil"),
        ("content-length", "7"),
    ]);
    sender.send_trailers(evil).unwrap();
    let reply = reply(answer).await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"body"[..]));
    assert!(!format!("{reply:?}").contains("evil"));
    assert!(!format!("{:?}", seen.lock().unwrap()).contains("evil"));
    assert_eq!(seen.lock().unwrap()[0]["x-portcullis-tenant"], "acme");
    assert_eq!(told(&gateway).await, [json!([200, "success", null])]);
    let twin = request("POST", "/plain/x", &keys.viewer, &[]);
    assert_eq!(client.call(twin, b"body").await.unwrap().body, b"body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_hears_it_as_grpc_says_it() {
    let (seen, gateway, keys, client) = connected().await;
    let garbage = "garbage".to_owned();
    let mut heard = Vec::new();
    for (target, key) in [
        ("/svc/Echo", &garbage),
        ("/other/Echo", &keys.viewer),
        ("/none/Echo", &keys.viewer),
        ("/svc/../svc/Echo", &keys.viewer),
    ] {
        let call = request("POST", target, key, &[GRPC]);
        let reply = client.call(call, MESSAGE).await.unwrap();
        assert_eq!((reply.status, reply.body.len()), (200, 0), "{target}");
        assert_eq!(reply.header("content-type"), "application/grpc");
        assert!(!reply.header("x-request-id").is_empty());
        let [code, message] = ["grpc-status", "grpc-message"].map(|name| reply.header(name));
        heard.push(format!("{code} {message}"));
    }
    insta::assert_snapshot!(heard.join("\n"), @r"
    16 The credential is not valid.
    7 Permission `datasets:create` is missing in this project.
    12 There is no such route.
    3 Bad request: the path is ambiguous: dot segments, empty segments, `;`, `\`, encoded separators or double encoding.
    ");
    assert!(seen.lock().unwrap().is_empty());
    let statuses: Vec<_> = told(&gateway)
        .await
        .into_iter()
        .map(|told| told[0].clone())
        .collect();
    assert_eq!(statuses, [401, 403, 404, 400]);
    // The twins: the same refusal for others, and a call that passes.
    let other = request("POST", "/none/Echo", &keys.viewer, &[]);
    let reply = client.call(other, b"{}").await.unwrap();
    assert_eq!((reply.status, reply.header("grpc-status")), (404, ""));
    let call = request("POST", "/svc/Echo", &keys.viewer, &[GRPC]);
    assert_eq!(
        client
            .call(call, MESSAGE)
            .await
            .unwrap()
            .trailer("grpc-status"),
        "0"
    );
    // Over HTTP/1 nobody speaks gRPC, whatever the content type says.
    let http1 = "POST /svc/Echo HTTP/1.1\r\nHost: gw\r\nContent-Type: application/grpc\r\n\r\n";
    assert_eq!(gateway.raw(http1).unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_breaks_off_or_is_away_is_told() {
    let (_seen, gateway, keys, client) = connected().await;
    let call = request("POST", "/svc/break", &keys.viewer, &[GRPC]);
    let (answer, mut sender) = client.send(call, false).await.unwrap();
    sender.send_data(MESSAGE.into(), false).unwrap();
    let (answer, mut body) = answer.await.unwrap().into_parts();
    assert_eq!(answer.status, 200);
    assert_eq!(body.data().await.unwrap().unwrap(), MESSAGE);
    sender.send_data(Bytes::new(), true).unwrap();
    let broken = body.data().await.unwrap().unwrap_err();
    assert!(broken.is_reset(), "{broken:?}");
    // Nothing was carried out, but a write is never sent twice.
    let call = request("POST", "/svc/refuse", &keys.viewer, &[GRPC]);
    assert_eq!(
        client
            .call(call, MESSAGE)
            .await
            .unwrap()
            .header("grpc-status"),
        "14"
    );
    let plain = request("GET", "/plain/refuse", &keys.viewer, &[]);
    assert_eq!(client.call(plain, b"").await.unwrap().status, 502);
    assert_eq!(
        told(&gateway).await,
        [
            json!([200, "failed", "upstream_broken"]),
            json!([502, "failed", "upstream_broken"]),
            json!([502, "failed", "upstream_broken"]),
        ]
    );
    let call = request("POST", "/svc/Echo", &keys.viewer, &[GRPC]);
    assert_eq!(
        client
            .call(call, MESSAGE)
            .await
            .unwrap()
            .trailer("grpc-status"),
        "0"
    );
}

/// Whatever the last frame of an answer is: once it came, the event outlives the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_event_after_a_kill() {
    let (_seen, mut gateway) = start().await;
    let keys = gateway.seed();
    let answered = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for way in ["svc/Echo", "svc/Fail", "plain/bare", "plain/x"] {
        for _ in 0..2 {
            let (answered, key) = (Arc::clone(&answered), keys.viewer.clone());
            let client = Client::connect(gateway.public()).await;
            tasks.spawn(async move {
                loop {
                    let call = request("POST", &format!("/{way}"), &key, &[]);
                    let Ok(reply) = client.call(call, MESSAGE).await else {
                        return;
                    };
                    let id = reply.header("x-request-id").to_owned();
                    answered.lock().unwrap().push(id);
                }
            });
        }
    }
    until("enough answers", || answered.lock().unwrap().len() > 400);
    gateway.kill();
    tasks.join_all().await;
    gateway.launch();
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let ids: std::collections::HashSet<_> = events
        .iter()
        .filter(|event| event["result"] != "gateway_interrupted")
        .map(|event| event["request_id"].as_str().unwrap())
        .collect();
    let answered = answered.lock().unwrap();
    let missing: Vec<_> = answered
        .iter()
        .filter(|id| !ids.contains(id.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {}",
        missing.len(),
        answered.len()
    );
    let interrupted = events
        .iter()
        .filter(|event| event["reason"] == "gateway_interrupted");
    for event in interrupted {
        let id = event["request_id"].as_str().unwrap();
        assert!(
            !answered.iter().any(|it| it == id),
            "answered, yet interrupted: {event}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_http1_reach_it_too() {
    let (_seen, gateway) = start().await;
    let keys = gateway.seed();
    let answers = load::send(&gateway, 4, 20, |_| {
        load::request("POST", "/plain/x", &keys.viewer)
    });
    assert_eq!(answers.len(), 80);
    assert!(answers.iter().all(|answer| answer.status == 200));
    let answer = gateway.request("POST", "/plain/x", &keys.viewer, "{\"a\":1}");
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"a\":1}"));
}

/// What was configured is spoken, and nothing else: without trailers a call has no outcome.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_of_http1_is_not_fallen_back_to() {
    let upstream = Upstream::with(|_, stream| respond(stream, "200 OK", b"old"));
    let gateway = TestGateway::start(&config(upstream.address(), "")).await;
    let keys = gateway.seed();
    assert_eq!(gateway.get("/plain/x", &keys.viewer).status, 502);
    let lines: Vec<_> = upstream
        .received()
        .iter()
        .map(|it| it.line().to_owned())
        .collect();
    assert!(!format!("{lines:?}").contains("/plain"), "{lines:?}");
    assert_eq!(
        told(&gateway).await,
        [json!([502, "failed", "upstream_broken"])]
    );
}
