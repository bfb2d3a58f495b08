//! Each operation of the description is refused to whoever may not, and none is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis::config::Settings;
use portcullis::domain::RoleScope;
use portcullis::policy::{Requirement, Route};
use serde_json::Value;

use super::probes::{Probe, Right, probes};
use super::{V1, World, refusal};

/// The gateway's own routes, by `METHOD /path`: nothing else reaches the control plane.
fn own_routes() -> BTreeMap<String, Arc<Route>> {
    let text = "version: 1\nupstreams: { any: { url: \"http://127.0.0.1:1\" } }\n";
    let settings = Settings::parse("portcullis.yaml", text, &|_| None).unwrap();
    let routes = settings.routes.routes().iter();
    // What directories speak is described by a standard.
    let own =
        routes.filter(|it| it.label.contains("/.portcullis/") && !it.label.contains("/scim/"));
    own.map(|it| (it.label.to_string(), Arc::clone(it)))
        .collect()
}

/// `METHOD /path` of each operation that is described, by its id.
fn described() -> BTreeMap<String, String> {
    let document = serde_json::to_value(portcullis::control::api::document()).unwrap();
    let mut described = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let line = format!("{} {path}", method.to_uppercase());
            assert_eq!(described.insert(id, line), None, "two operations of one id");
        }
    }
    described
}

/// Whether a probe asks what this line says.
fn asks(probe: &Probe, line: &str) -> bool {
    let (method, pattern) = line.split_once(' ').unwrap();
    let steps: Vec<_> = probe.path.split('/').collect();
    let wanted: Vec<_> = pattern.split('/').collect();
    let fits = |(step, wanted): (&&str, &&str)| wanted.starts_with('{') || step == wanted;
    probe.method == method && steps.len() == wanted.len() && steps.iter().zip(&wanted).all(fits)
}

/// Who passes a route, by what it requires.
fn right(route: &Route) -> Right {
    let Requirement::Permission { name, .. } = &route.requirement else {
        assert!(matches!(route.requirement, Requirement::Authenticated));
        return Right::Known;
    };
    let name = name.to_string();
    let is_read = name.ends_with(":read");
    match (route.scope, is_read) {
        (RoleScope::Platform, true) => Right::Platform,
        (RoleScope::Platform, _) if name == "audit:query" => Right::Platform,
        (RoleScope::Platform, _) => Right::PlatformChange,
        (RoleScope::Tenant, true) => Right::TenantRead,
        (RoleScope::Tenant, false) => Right::Tenant,
        (RoleScope::Project, true) => Right::Member,
        (RoleScope::Project, _) if name == "audit:query" => Right::Audit,
        (RoleScope::Project, _) => Right::Owner,
    }
}

/// What is served, what is described and what is tested are the same, with nothing left out
/// and nothing tested as if more were allowed.
#[test]
fn every_operation_has_a_test_of_its_refusals() {
    let (routes, described) = (own_routes(), described());
    let lines: BTreeSet<&String> = described.values().collect();
    let served: BTreeSet<&String> = routes.keys().collect();
    assert_eq!(served, lines, "the route map and the description");
    let probes = probes();
    let tested: Vec<&str> = probes.iter().map(|it| it.operation).collect();
    let unique: BTreeSet<&str> = tested.iter().copied().collect();
    assert_eq!(unique.len(), tested.len(), "{tested:?}");
    let operations: BTreeSet<&str> = described.keys().map(String::as_str).collect();
    assert_eq!(unique, operations, "the description and the tests");
    for probe in &probes {
        let line = &described[probe.operation];
        assert!(asks(probe, line), "{}: {line}", probe.operation);
        assert_eq!(probe.right, right(&routes[line]), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_refused_and_changes_nothing() {
    let world = World::start().await;
    let limited = world.gateway.cli(&[
        "keys",
        "create",
        "--principal",
        "admin@example.com",
        "--permission",
        "models:read",
    ]);
    let elsewhere = world.gateway.key("admin@example.com", Some("globex/churn"));
    let before = policy_version(&world).await;
    for probe in probes() {
        let name = probe.operation;
        let path = probe.path.strip_prefix(V1);
        let ask = |key: &str| match path {
            Some(path) => world.send(probe.method, path, key, probe.body, &[("If-Match", "*")]),
            None => world.gateway.get(&probe.path, key),
        };
        if path.is_some() {
            assert_eq!(refusal(&ask("")), "401 unauthenticated", "{name}");
        }
        if probe.right == Right::Known {
            continue;
        }
        assert_eq!(
            refusal(&ask(&limited)),
            "403 credential_permission",
            "{name}"
        );
        let wanted = match probe.right {
            Right::Platform | Right::PlatformChange => "403 permission_missing",
            Right::Owner | Right::Member | Right::Audit => "403 project_closed",
            _ => "403 tenant_closed",
        };
        assert_eq!(refusal(&ask(&world.rival)), wanted, "{name}");
        let outside = refusal(&ask(&elsewhere));
        assert_eq!(outside, "403 credential_scope", "{name}");
        if probe.right != Right::Member {
            assert_eq!(
                refusal(&ask(&world.viewer)),
                "403 permission_missing",
                "{name}"
            );
        }
        if !matches!(probe.right, Right::Member | Right::Audit) {
            assert_eq!(
                refusal(&ask(&world.auditor)),
                "403 permission_missing",
                "{name}"
            );
        }
    }
    assert_eq!(
        policy_version(&world).await,
        before,
        "something was changed"
    );
}

async fn policy_version(world: &World) -> i64 {
    use sqlx::Connection as _;
    let url = world.gateway.postgres.owner_url();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query_scalar("SELECT version FROM policy_version")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

/// The legal neighbours.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_reads() {
    let world = World::start().await;
    for probe in probes().iter().filter(|it| it.method == "GET") {
        let Some(path) = probe.path.strip_prefix(V1) else {
            continue;
        };
        let key = match probe.right {
            Right::Platform | Right::PlatformChange => &world.admin,
            Right::Member | Right::Known => &world.viewer,
            Right::Audit => &world.auditor,
            _ => &world.boss,
        };
        let answer = world.get(path, key);
        let there = !path.contains("01a20424") && !path.ends_with("/none");
        assert_eq!(
            answer.status,
            if there { 200 } else { 404 },
            "{path} {answer:?}"
        );
        let body: Value = answer.json();
        assert!(
            !body.to_string().contains("globex") || probe.right == Right::Platform,
            "{body}"
        );
    }
}

/// Whoever may is refused what cannot be read, or was not seen before.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_is_refused_what_has_not_the_form() {
    let world = World::start().await;
    let before = policy_version(&world).await;
    for probe in probes() {
        let name = probe.operation;
        let Some(path) = probe.path.strip_prefix(V1) else {
            continue;
        };
        let ask = |path: &str, body: &str, headers: &[(&str, &str)]| {
            refusal(&world.send(probe.method, path, &world.admin, body, headers))
        };
        let any = [("If-Match", "*")];
        if name.starts_with("list_") {
            let unknown = ask(&format!("{path}?unknown=1"), "", &[]);
            assert_eq!(unknown, "400 malformed", "{name}");
        }
        if !probe.body.is_empty() {
            for (bad, wanted) in [("{", "400 malformed"), ("{\"none\": 1}", "422 invalid")] {
                assert_eq!(ask(path, bad, &any), wanted, "{name}");
            }
        }
        let never_changes = ["delete_binding", "revoke_key"];
        let changes = matches!(probe.method, "PUT" | "PATCH" | "DELETE");
        if changes && !never_changes.contains(&name) {
            assert_eq!(
                ask(path, probe.body, &[]),
                "428 precondition_required",
                "{name}"
            );
            let other = format!("\"{:032x}\"", 7);
            let answer = ask(path, probe.body, &[("If-Match", &other)]);
            let there = !path.contains("01a20424") && !path.ends_with("/none");
            let wanted = if there {
                "412 precondition_failed"
            } else {
                "404 not_found"
            };
            assert_eq!(answer, wanted, "{name}");
        }
        if probe.method == "POST" {
            let short = [("Idempotency-Key", "short")];
            assert_eq!(ask(path, probe.body, &short), "400 malformed", "{name}");
        }
    }
    assert_eq!(
        policy_version(&world).await,
        before,
        "something was changed"
    );
}
