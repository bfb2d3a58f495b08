//! `kserve-v2-grpc` before MLServer, with a real client.

use std::process::Command;

use super::{adopt, bound_to_version_1, told};
use crate::support::from_environment;
use crate::support::gateway::TestGateway;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_judged_by_the_model_in_its_message() {
    let models = [
        ("fraud", "1"),
        ("fraud", "2"),
        ("churn", "1"),
        ("nobodys", "1"),
    ];
    let server = Server::mlserver_named(&models);
    let yaml = format!(
        "upstreams:
  server: {{ url: \"{}\" }}
  grpc: {{ url: \"{}\", http2: true, objects: server }}
presets:
  - {{ name: kserve-v2, upstream: server }}
  - {{ name: kserve-v2-grpc, upstream: grpc }}
",
        server.url(),
        server.grpc_url()
    );
    let gateway = TestGateway::start(&yaml).await;
    let keys = gateway.seed();
    let models = [
        ("server", "model", "fraud", "acme/fraud"),
        ("server", "model", "churn", "globex/churn"),
    ];
    adopt(&gateway, &models).await;
    let mut client = Command::new(from_environment("PORTCULLIS_TEST_MODEL_SERVERS"));
    client
        .arg("tests/e2e/presets/kserve_grpc_client.py")
        .arg(gateway.public().to_string())
        .args([&keys.owner, &keys.viewer, &keys.stranger])
        .arg(bound_to_version_1(&gateway));
    insta::assert_snapshot!(told(&mut client));
    // One record counts for both ports.
    assert_eq!(gateway.get("/v2/models/fraud", &keys.viewer).status, 200);
    assert_eq!(gateway.get("/v2/models/churn", &keys.viewer).status, 404);
}
