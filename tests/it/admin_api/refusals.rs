//! Each operation of the description is refused to whoever may not, and none is forgotten.

use std::collections::BTreeSet;

use serde_json::Value;

use self::Right::{Audit, Known, Member, Owner, Platform, PlatformChange, Tenant, TenantRead};
use super::{PROJECT, V1, World, refusal};

/// One request of each operation, which only its callers may make.
struct Probe {
    operation: &'static str,
    method: &'static str,
    path: String,
    body: &'static str,
    /// Who holds the right.
    right: Right,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    /// Anybody known.
    Known,
    /// Who reads all tenants.
    Platform,
    /// Who changes all tenants.
    PlatformChange,
    /// Client admins.
    Tenant,
    /// Who reads the tenant.
    TenantRead,
    /// The owner of the project.
    Owner,
    /// Auditors and the owner.
    Audit,
    /// Any member of the project.
    Member,
}

fn probe(
    operation: &'static str,
    method: &'static str,
    path: &str,
    body: &'static str,
    right: Right,
) -> Probe {
    Probe {
        operation,
        method,
        path: path.to_owned(),
        body,
        right,
    }
}

/// An id that nothing has.
const ID: &str = "01a20424-7f4f-730b-9cb3-2278a440387d";
const ADD: &str = r#"{"principal": "boss@example.com", "role": "viewer"}"#;

/// Every operation that there is a test for.
fn probes() -> Vec<Probe> {
    let mut probes = of_tenants();
    probes.extend(of_projects());
    probes
}

/// On the platform and in a tenant.
fn of_tenants() -> Vec<Probe> {
    let tenant = |operation, method, path: &str, body, right| {
        probe(
            operation,
            method,
            &format!("{V1}/tenants/acme{path}"),
            body,
            right,
        )
    };
    let binding = format!("/bindings/{ID}");
    let slug = r#"{"slug": "new", "name": "New"}"#;
    let role = r#"{"name": "own", "scope": "project", "permissions": ["models:read"]}"#;
    let key = r#"{"principal": "acme/robot"}"#;
    vec![
        probe("describe", "GET", "/.portcullis/openapi.json", "", Known),
        probe("me", "GET", &format!("{V1}/me"), "", Known),
        probe(
            "list_tenants",
            "GET",
            &format!("{V1}/tenants"),
            "",
            Platform,
        ),
        probe(
            "create_tenant",
            "POST",
            &format!("{V1}/tenants"),
            slug,
            PlatformChange,
        ),
        tenant("read_tenant", "GET", "", "", TenantRead),
        tenant("list_projects", "GET", "/projects", "", TenantRead),
        tenant("create_project", "POST", "/projects", slug, Tenant),
        tenant("list_roles", "GET", "/roles", "", TenantRead),
        tenant("create_role", "POST", "/roles", role, Tenant),
        tenant("read_role", "GET", "/roles/viewer", "", TenantRead),
        tenant(
            "update_role",
            "PATCH",
            "/roles/none",
            r#"{"permissions": ["models:read"]}"#,
            Tenant,
        ),
        tenant("delete_role", "DELETE", "/roles/none", "", Tenant),
        tenant("list_bindings", "GET", "/bindings", "", TenantRead),
        tenant("create_binding", "POST", "/bindings", ADD, Tenant),
        tenant("delete_binding", "DELETE", &binding, "", Tenant),
        tenant("list_keys", "GET", "/keys", "", Tenant),
        tenant("create_key", "POST", "/keys", key, Tenant),
        tenant("revoke_key", "DELETE", "/keys/4fT0aXq1ZbLw", "", Tenant),
        tenant("list_events_of_tenant", "GET", "/events", "", Tenant),
    ]
}

/// In a project.
fn of_projects() -> Vec<Probe> {
    let project = |operation, method, path: &str, body, right| {
        probe(
            operation,
            method,
            &format!("{V1}{PROJECT}{path}"),
            body,
            right,
        )
    };
    let member = format!("/members/{ID}");
    let resource = format!("/resources/{ID}");
    let moved = format!("{resource}/project");
    vec![
        project("read_project", "GET", "", "", Member),
        project("update_project", "PATCH", "", r#"{"name": "Other"}"#, Owner),
        project(
            "transfer_project",
            "PUT",
            "/owner",
            r#"{"owner": "boss@example.com"}"#,
            Owner,
        ),
        project("delete_project", "DELETE", "", "", Owner),
        project("list_members", "GET", "/members", "", Member),
        project("add_member", "POST", "/members", ADD, Owner),
        project("read_member", "GET", &member, "", Member),
        project(
            "update_member",
            "PATCH",
            &member,
            r#"{"role": "viewer"}"#,
            Owner,
        ),
        project("remove_member", "DELETE", &member, "", Owner),
        project("list_resources", "GET", "/resources", "", Member),
        project("read_resource", "GET", &resource, "", Member),
        project(
            "update_resource",
            "PATCH",
            &resource,
            r#"{"labels": {}}"#,
            Owner,
        ),
        project(
            "move_resource",
            "PUT",
            &moved,
            r#"{"project": "other"}"#,
            Owner,
        ),
        project("release_resource", "DELETE", &resource, "", Owner),
        project("list_events_of_project", "GET", "/events", "", Audit),
    ]
}

#[test]
fn every_operation_has_a_test_of_its_refusals() {
    let document = serde_json::to_value(portcullis::control::api::document()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            described.insert(format!("{id}: {} {}", method.to_uppercase(), shape(path)));
        }
    }
    let tested: BTreeSet<String> = probes()
        .iter()
        .map(|it| format!("{}: {} {}", it.operation, it.method, shape(&it.path)))
        .collect();
    let same = |it: &String| it.split(':').next().unwrap().to_owned();
    let names = |set: &BTreeSet<String>| set.iter().map(same).collect::<Vec<_>>();
    assert_eq!(names(&described), names(&tested));
    assert_eq!(described.len(), probes().len());
}

/// How long the path is: names are filled in otherwise.
fn shape(path: &str) -> usize {
    path.split('/').count()
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
        let there = !path.contains("01a20424");
        assert_eq!(
            answer.status,
            if there { 200 } else { 404 },
            "{path} {answer:?}"
        );
        let body: Value = answer.json();
        assert!(
            !body.to_string().contains("globex") || path == "/tenants",
            "{body}"
        );
    }
}
