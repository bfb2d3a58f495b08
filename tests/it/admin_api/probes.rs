//! One request of each operation of the API, and who may make it.

use self::Right::{Audit, Known, Member, Owner, Platform, PlatformChange, Tenant, TenantRead};
use super::{PROJECT, V1};

/// One request of each operation, which only its callers may make.
pub(super) struct Probe {
    pub(super) operation: &'static str,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: &'static str,
    /// Who holds the right.
    pub(super) right: Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
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
pub(super) fn probes() -> Vec<Probe> {
    let mut probes = of_tenants();
    probes.extend(of_providers());
    probes.extend(of_projects());
    probes
}

/// Sign-in providers.
fn of_providers() -> Vec<Probe> {
    vec![
        probe(
            "list_providers",
            "GET",
            &format!("{V1}/providers"),
            "",
            Platform,
        ),
        probe(
            "create_provider",
            "POST",
            &format!("{V1}/providers"),
            r#"{"name": "new", "tenant": "acme", "settings": {}}"#,
            PlatformChange,
        ),
        probe(
            "read_provider",
            "GET",
            &format!("{V1}/providers/none"),
            "",
            Platform,
        ),
        probe(
            "update_provider",
            "PUT",
            &format!("{V1}/providers/none"),
            r#"{"settings": {}}"#,
            PlatformChange,
        ),
        probe(
            "delete_provider",
            "DELETE",
            &format!("{V1}/providers/none"),
            "",
            PlatformChange,
        ),
    ]
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
        probe("list_events", "GET", &format!("{V1}/events"), "", Platform),
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
        tenant("list_pending_keys", "GET", "/pending-keys", "", Tenant),
        tenant("revoke_all_keys", "POST", "/key-revocations", "{}", Tenant),
        tenant(
            "rotate_key",
            "POST",
            "/keys/4fT0aXq1ZbLw/rotate",
            "{}",
            Tenant,
        ),
        tenant(
            "approve_key",
            "POST",
            "/keys/4fT0aXq1ZbLw/approve",
            "",
            Tenant,
        ),
        tenant("read_key_rules", "GET", "/key-rules", "", TenantRead),
        tenant("put_key_rules", "PUT", "/key-rules", "{}", Tenant),
        tenant("list_events_of_tenant", "GET", "/events", "", Tenant),
        tenant(
            "read_session_rules_of_tenant",
            "GET",
            "/session-rules",
            "",
            TenantRead,
        ),
        tenant(
            "put_session_rules_of_tenant",
            "PUT",
            "/session-rules",
            "{}",
            Tenant,
        ),
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
        project(
            "read_session_rules_of_project",
            "GET",
            "/session-rules",
            "",
            Member,
        ),
        project(
            "put_session_rules_of_project",
            "PUT",
            "/session-rules",
            "{}",
            Owner,
        ),
    ]
}
