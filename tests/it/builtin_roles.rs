//! The built-in roles of `config/roles.yaml`: who holds what, and above all who does not.

use portcullis::config::Settings;
use portcullis::domain::{Permission, PermissionRule, RoleScope};

fn settings() -> Settings {
    let text = "version: 1\nupstreams: { any: { url: \"http://127.0.0.1:1\" } }\n";
    Settings::parse("portcullis.yaml", text, &|_| None).unwrap()
}

fn held_by(name: &str) -> Vec<String> {
    let settings = settings();
    let role = settings
        .roles
        .iter()
        .find(|role| role.name == name)
        .unwrap();
    let patterns = PermissionRule::patterns(&role.permissions);
    let (set, unknown) = settings.catalogue.expand(patterns);
    assert_eq!(unknown, Vec::<&str>::new(), "patterns of {name}");
    let is_held = |permission: &&Permission| {
        let index = settings.catalogue.index(permission).unwrap();
        set.contains(index)
    };
    let held = settings.catalogue.iter().filter(is_held);
    held.map(ToString::to_string).collect()
}

fn assert_lacks(role: &str, permissions: &[&str]) {
    let held = held_by(role);
    let catalogue = settings().catalogue;
    for permission in permissions {
        let known = catalogue.index(&permission.parse().unwrap());
        assert!(known.is_some(), "{permission}");
        assert!(!held.iter().any(|held| held == permission), "{role}");
    }
}

#[test]
fn each_role_of_the_design_exists_at_its_scope() {
    let settings = settings();
    let at = |scope| -> Vec<_> {
        let roles = settings.roles.iter().filter(|role| role.scope == scope);
        roles.map(|role| role.name.as_str()).collect()
    };
    assert_eq!(at(RoleScope::Platform), ["superadmin", "reviewer"]);
    assert_eq!(
        at(RoleScope::Tenant),
        ["client_admin", "client_user", "provisioner"]
    );
    assert_eq!(
        at(RoleScope::Project),
        [
            "owner",
            "editor",
            "viewer",
            "data_scientist",
            "ml_engineer",
            "model_manager",
            "auditor"
        ]
    );
}

#[test]
fn who_only_reads_holds_reads_alone() {
    for role in ["viewer", "reviewer", "auditor"] {
        let mut held = held_by(role);
        held.retain(|name| name != "audit:query");
        assert!(held.iter().all(|name| name.ends_with(":read")), "{role}");
        assert!(!held.is_empty());
    }
}

#[test]
fn the_audit_log_is_read_by_those_who_are_meant_to() {
    let settings = settings();
    let readers = settings.roles.iter().filter(|role| {
        let held = held_by(&role.name);
        held.contains(&"audit:query".to_owned())
    });
    let readers: Vec<_> = readers.map(|role| role.name.as_str()).collect();
    assert_eq!(
        readers,
        ["superadmin", "reviewer", "client_admin", "owner", "auditor"]
    );
}

#[test]
fn administration_stays_with_owners_and_admins() {
    let administration = [
        "members:manage",
        "settings:manage",
        "projects:manage",
        "projects:transfer",
        "projects:remove",
        "roles:manage",
        "tenants:manage",
        "users:manage",
        "keys:manage",
        "service_accounts:manage",
        "gateway_secrets:manage",
        "webhooks:manage",
        "workspaces:manage",
    ];
    for role in [
        "reviewer",
        "client_user",
        "editor",
        "viewer",
        "data_scientist",
        "ml_engineer",
        "model_manager",
        "auditor",
    ] {
        assert_lacks(role, &administration);
    }
}

#[test]
fn whoever_manages_models_neither_deletes_nor_sees_sensitive_data() {
    let held = held_by("model_manager");
    assert!(held.iter().all(|name| !name.ends_with(":delete")));
    let sensitive = ["datasets", "traces", "predictions", "artifacts"];
    let sees = |name: &String| sensitive.contains(&name.split(':').next().unwrap());
    assert!(!held.iter().any(sees));
    assert!(held.contains(&"models:approve".to_owned()));
}

#[test]
fn a_data_scientist_changes_nothing_in_production() {
    let settings = settings();
    let mut roles = settings.roles.iter();
    let role = roles.find(|role| role.name == "data_scientist").unwrap();
    for line in &role.permissions {
        let parsed = PermissionRule::parse(line);
        let action = parsed.pattern.rsplit(':').next().unwrap();
        let harmless = ["read", "view", "use"].contains(&action);
        let outside = parsed.condition == Some("resource.environment != \"production\"");
        assert!(
            harmless || outside || parsed.pattern == "predictions:create",
            "{line}"
        );
    }
}
