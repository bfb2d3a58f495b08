//! Inspected bodies and held answers over every pair of HTTP/1 and HTTP/2.

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use serde_json::{Value, json};

use super::bodies::{LENGTHS, of};
use super::yaml;
use crate::support::gateway::TestGateway;
use crate::support::http2_peers::{self as peers, Client, head, request};
use crate::support::platform::Platform;

const JSON: (&str, &str) = ("content-type", "application/json");

/// Tells what it was sent, makes what it is told to, and lists two.
async fn behave(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (parts, mut body) = request.into_parts();
    let body = peers::read(&mut body).await.unwrap();
    let length = parts.headers.get("content-length");
    let length = length.map(|length| length.to_str().unwrap().to_owned());
    let answer = match parts.uri.path() {
        "/datasets" => serde_json::from_slice(&body).unwrap(),
        "/all" => json!({"datasets": [{"id": "mine"}, {"id": "other"}]}),
        _ => {
            let sent: Value = serde_json::from_slice(&body).unwrap();
            json!({"body": sent, "length": body.len(), "announced": length})
        }
    };
    let mut stream = respond.send_response(head(200, &[JSON]), false).unwrap();
    stream.send_data(answer.to_string().into(), false).unwrap();
    let trailers = [("x-sum", "1"), ("set-cookie", "a=b")];
    stream.send_trailers(peers::fields(&trailers)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http2_to_both_kinds_of_backends() {
    for speaks_http2 in [false, true] {
        let platform = Platform::start();
        let mut config = yaml(&platform);
        if speaks_http2 {
            let address = peers::backend(behave).await;
            let (old, new) = (platform.address().to_string(), address.to_string());
            let old = format!("url: \"http://{old}\"");
            config = config.replace(&old, &format!("url: \"http://{new}\", http2: true"));
        }
        let gateway = TestGateway::start(&config).await;
        let keys = gateway.seed();
        let client = Client::connect(gateway.public()).await;
        let post = |target: &str, body: &[u8]| {
            let announced = body.len().to_string();
            let fields = [JSON, ("content-length", announced.as_str())];
            let request = request("POST", target, &keys.editor, &fields);
            let (client, body) = (client.clone(), body.to_vec());
            async move { client.call(request, &body).await.unwrap() }
        };
        let made = post("/datasets", br#"{"id":"mine"}"#).await;
        assert_eq!(made.status, 200, "{made:?}");
        for length in [1, 70_000, 300_000] {
            let body = json!({"id": "mine", "x": "y".repeat(length)}).to_string();
            let told = post("/log", body.as_bytes()).await;
            assert_eq!(told.status, 200, "{length}");
            let told: Value = serde_json::from_slice(&told.body).unwrap();
            assert_eq!(told["body"]["x"].as_str().unwrap().len(), length);
            assert_eq!(told["body"]["project"], "fraud");
            if speaks_http2 {
                assert_eq!(told["announced"], told["length"].to_string());
            }
        }
        for length in LENGTHS {
            let bare = request("POST", "/log", &keys.editor, &[JSON]);
            let told = client.call(bare, of(length).as_bytes()).await.unwrap();
            assert_eq!(told.status, 200, "{length} unannounced");
            let told: Value = serde_json::from_slice(&told.body).unwrap();
            assert_eq!(told["body"]["project"], "fraud");
        }
        let bare = request("POST", "/log", &keys.editor, &[JSON]);
        let refused = client
            .call(bare, of((1 << 20) + 1).as_bytes())
            .await
            .unwrap();
        assert_eq!(refused.status, 413);
        let empty = request("POST", "/note", &keys.editor, &[]);
        let told = client.call(empty, b"").await.unwrap();
        assert_eq!(told.status, 200, "{told:?}");
        if speaks_http2 {
            assert_eq!(told.trailer("x-sum"), "1");
            assert_eq!(
                told.trailer("set-cookie"),
                "",
                "it must be said in the head"
            );
        }
        let told: Value = serde_json::from_slice(&told.body).unwrap();
        assert_eq!(told["body"], json!({"project": "fraud"}));
        let told = gateway.request("POST", "/note", &keys.editor, "");
        assert_eq!(told.json()["body"], json!({"project": "fraud"}));
        // By HTTP/1 to the same backend.
        let body = json!({"id": "mine", "x": "y".repeat(90_000)}).to_string();
        let told = gateway.request("POST", "/log", &keys.editor, &body);
        assert_eq!(told.json()["body"]["x"].as_str().unwrap().len(), 90_000);
        if speaks_http2 {
            let list = gateway.get("/all", &keys.viewer);
            assert_eq!(list.body, r#"{"datasets":[{"id":"mine"}]}"#);
            let list = request("GET", "/all", &keys.viewer, &[]);
            let list = client.call(list, b"").await.unwrap();
            assert_eq!(list.body, br#"{"datasets":[{"id":"mine"}]}"#);
        }
    }
}
