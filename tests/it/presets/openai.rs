//! `openai` before LitServe, with OpenAI's own client.

use std::io::Write as _;
use std::process::Command;

use serde_json::json;

use super::{adopt, told};
use crate::support::from_environment;
use crate::support::gateway::{Keys, TestGateway};
use crate::support::server::Server;
use crate::support::upstream::Upstream;

const CHAT: &str =
    r#"{"model":"acme-small","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

async fn gateway(url: &str) -> (TestGateway, Keys) {
    let yaml = format!(
        "upstreams: {{ llm: {{ url: \"{url}\" }} }}\npresets: [{{ name: openai, upstream: llm }}]\n"
    );
    let gateway = TestGateway::start(&yaml).await;
    let keys = gateway.seed();
    let models = [
        ("llm", "model", "acme-small", "acme/fraud"),
        ("llm", "model", "acme/large", "acme/fraud"),
        ("llm", "model", "globex-model", "globex/churn"),
    ];
    adopt(&gateway, &models).await;
    (gateway, keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_works_and_understands_refusals() {
    let server = Server::openai();
    let (gateway, keys) = gateway(&server.url()).await;
    let mut client = Command::new(from_environment("PORTCULLIS_TEST_CLIENTS"));
    client
        .arg("tests/e2e/presets/openai_client.py")
        .arg(gateway.public().to_string())
        .args([&keys.editor, &keys.stranger]);
    insta::assert_snapshot!(told(&mut client));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_slashes_and_ways_around_the_model() {
    let server = Server::openai();
    let (gateway, keys) = gateway(&server.url()).await;
    let get = |path: &str| gateway.get(path, &keys.viewer);
    assert_eq!(get("/v1/models/acme/large").json()["id"], "acme/large");
    assert_eq!(get("/v1/models/globex-model").status, 404);
    let chat = |body: &str| {
        let answer = gateway.request("POST", "/v1/chat/completions", &keys.editor, body);
        answer.status
    };
    for (body, status) in [
        (
            r#"{"model":"acme-small","messages":[{"role":"user","content":"hi"}]}"#,
            200,
        ),
        (r#"{"messages":[]}"#, 400),
        (r#"{"model":["acme-small"],"messages":[]}"#, 400),
        (
            r#"{"model":"acme-small","model":"globex-model","messages":[]}"#,
            400,
        ),
        (r#"{"model":"acme-small ","messages":[]}"#, 400),
        (r#""{\"model\":\"acme-small\"}""#, 400),
        ("", 400),
    ] {
        assert_eq!(chat(body), status, "{body}");
    }
    let viewer = gateway.request("POST", "/v1/chat/completions", &keys.viewer, CHAT);
    assert_eq!(viewer.status, 403);
}

/// The first event has come before the model makes the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_as_it_is_made() {
    let server = Server::openai();
    let (gateway, keys) = gateway(&server.url()).await;
    let mut connection = gateway.connect();
    connection.send(chat(&keys.editor));
    let mut seen = Vec::new();
    let mut read_until = |what: &str| {
        while !String::from_utf8_lossy(&seen).contains(what) {
            let bytes = connection.some_bytes();
            assert!(!bytes.is_empty(), "closed after {seen:?}");
            seen.extend(bytes);
        }
    };
    read_until("heard: ");
    std::fs::write(server.folder().join("go"), "").unwrap();
    read_until("\"hi\"");
    read_until("data: [DONE]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_passes_byte_by_byte() {
    // Comments, events of several lines, carriage returns, bytes that are no JSON.
    const EVENTS: &[u8] = b": hello\n\ndata: {\"a\":  1.0e0}\r\n\r\nevent: x\ndata: 1\ndata: 2\n\n\
        data: \xf0\x9f\x98\x80\xff\n\ndata: [DONE]\n\n";
    let upstream = Upstream::with(|_, stream| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        )?;
        stream.write_all(EVENTS)?;
        stream.shutdown(std::net::Shutdown::Both)
    });
    let (gateway, keys) = gateway(&format!("http://{}", upstream.address())).await;
    let mut connection = gateway.connect();
    connection.send(chat(&keys.editor).replace("HTTP/1.1\r\n", "HTTP/1.0\r\n"));
    let mut seen = Vec::new();
    loop {
        let bytes = connection.some_bytes();
        if bytes.is_empty() {
            break;
        }
        seen.extend(bytes);
    }
    let head = seen.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(&seen[head..], EVENTS);
    let sent: serde_json::Value = serde_json::from_slice(&upstream.only().body).unwrap();
    assert_eq!(
        sent,
        serde_json::from_str::<serde_json::Value>(CHAT).unwrap()
    );
}

/// What the gateway writes is what the server gets, whatever was sent.
#[tokio::test(flavor = "multi_thread")]
async fn responses_are_never_stored() {
    let upstream = Upstream::ok();
    let (gateway, keys) = gateway(&format!("http://{}", upstream.address())).await;
    for sent in ["", r#","store":true"#, r#","store":null"#] {
        let body = format!(r#"{{"model":"acme-small","input":"hi"{sent}}}"#);
        let answer = gateway.request("POST", "/v1/responses", &keys.editor, &body);
        assert_eq!(answer.status, 200, "{body}");
        let received = upstream.received().pop().unwrap().body;
        let received: serde_json::Value = serde_json::from_slice(&received).unwrap();
        assert_eq!(
            received,
            json!({ "model": "acme-small", "input": "hi", "store": false })
        );
    }
}

/// Servers take more for "yes" than `true`.
#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_kept_is_refused_however_it_is_spelt() {
    let upstream = Upstream::ok();
    let (gateway, keys) = gateway(&format!("http://{}", upstream.address())).await;
    let targets = [
        ("/v1/chat/completions", "store"),
        ("/v1/responses", "background"),
    ];
    for (target, key) in targets {
        let send = |value: &str| {
            let body = format!(r#"{{"model":"acme-small","{key}":{value}}}"#);
            let answer = gateway.request("POST", target, &keys.editor, &body);
            answer.status
        };
        for yes in ["true", "1", r#""true""#, r#""yes""#, "1.0", "[true]", "{}"] {
            assert!(matches!(send(yes), 400 | 403), "{target} {yes}");
        }
        for no in ["false", "null"] {
            assert_eq!(send(no), 200, "{target} {no}");
        }
    }
    assert_eq!(upstream.received().len(), 4);
}

fn chat(key: &str) -> String {
    let length = CHAT.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{CHAT}"
    )
}
