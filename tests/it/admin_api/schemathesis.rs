//! Requests that nobody thought of, made from the description by schemathesis: each answer must
//! be one that is described.

use std::process::Command;

use super::World;

/// What the test says of the API beyond its description. Every request goes to one tenant and
/// one project, or all would be refused for lack of them.
const CONFIG: &str = r#"
[parameters]
"path.tenant" = "acme"
"path.project" = "fraud"

[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "412", "422"]
negative_data_rejection.expected-statuses = ["4xx"]
missing_required_header.expected-statuses = ["400", "401", "428"]
# TRACE is no method to the gateway, whatever the path: 400.
unsupported_method.enabled = false
"#;

/// Seconds after which it counts as hung.
const PATIENCE: &str = "170";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_is_described() {
    let program = std::env::var("PORTCULLIS_TEST_SCHEMATHESIS")
        .expect("PORTCULLIS_TEST_SCHEMATHESIS names the program; scripts/test sets it");
    let world = World::start().await;
    world
        .gateway
        .cli(&["service-accounts", "create", "acme/robot"]);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("schemathesis.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let output = Command::new("timeout")
        .args([PATIENCE, &program, "--config-file"])
        .arg(&config)
        .args([
            "run",
            document,
            "--url",
            &format!("http://{}", world.gateway.public()),
        ])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", world.admin),
        ])
        .args([
            "--max-examples",
            "15",
            "--max-time",
            "120",
            "--seed",
            "1",
            "--no-color",
            "--phases",
        ])
        .args(["examples,coverage,fuzzing", "--generation-database", "none"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Tested: 50"), "{told}");
}
