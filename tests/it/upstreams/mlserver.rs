//! A real gRPC backend, unmodified: MLServer's inference service, with a real client.

use std::process::Command;

use crate::support::gateway::TestGateway;
use crate::support::server::{Server, python};

fn config(server: &Server) -> String {
    format!(
        "upstreams:
  mlserver: {{ url: \"{}\", http2: true }}
routes:
  - {{ route: POST /inference.GRPCInferenceService/ServerLive, upstream: mlserver, permission: datasets:read }}
  - {{ route: POST /inference.GRPCInferenceService/(ModelInfer|ModelStreamInfer), upstream: mlserver, permission: datasets:create }}
",
        server.grpc_url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_calls_pass_and_refusals_are_understood() {
    let server = Server::mlserver_words();
    let gateway = TestGateway::start(&config(&server)).await;
    let keys = gateway.seed();
    let output = Command::new(python())
        .arg("tests/e2e/grpc_client.py")
        .arg(gateway.public().to_string())
        .args([&keys.editor, &keys.viewer])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complaint}");
    insta::assert_snapshot!(told.trim());
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let told = events.iter().map(|event| {
        let word = |name: &str| event[name].to_string().replace('"', "");
        let told = ["status", "result", "reason"].map(word).join(" ");
        // At the deadline the client leaves and the backend gives up: either may be first.
        match told.as_str() {
            "null failed client_closed" | "200 failed upstream_grpc_4" => "the deadline".to_owned(),
            _ => told,
        }
    });
    let told: Vec<_> = told.collect();
    insta::assert_snapshot!(told.join("\n"));
}
