//! The presets, each before its real backend: what is whose, who sees it, and who may do what.

mod jupyter;
mod kserve;
mod kserve_grpc;
mod openai;
mod platform;

use std::collections::BTreeMap;
use std::process::Command;

use portcullis::clock::Clock;
use portcullis::domain::{Actor, ResourceKey};
use portcullis::store::{Author, NewResource};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::support::gateway::TestGateway;

/// Records objects that were there before the gateway: upstream, type, id and project.
async fn adopt(gateway: &TestGateway, objects: &[(&str, &str, &str, &str)]) {
    let db = gateway.postgres.db();
    let actor = Actor::anonymous();
    let mut author = Author::new(actor, Clock::system(), StdRng::from_os_rng());
    for (upstream, kind, id, owner) in objects {
        let (tenant, project) = db.project(&owner.parse().unwrap()).await.unwrap();
        let key = ResourceKey {
            upstream: (*upstream).into(),
            kind: (*kind).into(),
            id: (*id).into(),
        };
        let labels = BTreeMap::new();
        db.record_resources(
            &mut author,
            tenant.id,
            project.id,
            &[NewResource { key, labels }],
        )
        .await
        .unwrap();
    }
}

/// What a script printed; it must end well.
fn told(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complaint}");
    told.trim().to_owned()
}

/// Lets a new user infer with one version of acme/fraud's model `fraud` and nothing else;
/// returns a key.
fn bound_to_version_1(gateway: &TestGateway) -> String {
    gateway.cli(&["users", "create", "tester@example.com"]);
    gateway.cli(&[
        "members",
        "add",
        "--on-resource",
        "server/model/fraud",
        "--principal",
        "tester@example.com",
        "--role",
        "editor",
        "--when",
        r#"request.params.version == "1""#,
    ]);
    gateway.key("tester@example.com", None)
}
