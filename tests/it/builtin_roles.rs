//! The built-in roles of `config/roles.yaml`: who holds what, and above all who does not.

use std::collections::BTreeMap;

use portcullis::domain::{Catalogue, RoleScope};
use serde::Deserialize;

const ROLES: &str = include_str!("../../config/roles.yaml");

#[derive(Deserialize)]
struct File {
    permissions: BTreeMap<String, Vec<String>>,
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Role {
    name: String,
    scope: RoleScope,
    permissions: Vec<String>,
}

impl File {
    fn load() -> Self {
        serde_saphyr::from_str(ROLES).unwrap()
    }

    fn catalogue(&self) -> Catalogue {
        let names = self.permissions.iter().flat_map(|(resource, actions)| {
            let name = move |action: &String| format!("{resource}:{action}").parse().unwrap();
            actions.iter().map(name)
        });
        Catalogue::new(names)
    }

    fn held_by(&self, name: &str) -> Vec<String> {
        let role = self.roles.iter().find(|role| role.name == name).unwrap();
        let catalogue = self.catalogue();
        let (set, unknown) = catalogue.expand(role.permissions.iter().map(String::as_str));
        assert_eq!(unknown, Vec::<&str>::new(), "patterns of {name}");
        let held = catalogue.iter().filter(|permission| {
            let index = catalogue.index(permission).unwrap();
            set.contains(index)
        });
        held.map(ToString::to_string).collect()
    }
}

fn assert_lacks(role: &str, permissions: &[&str]) {
    let held = File::load().held_by(role);
    let all: Vec<_> = File::load().catalogue().iter().cloned().collect();
    for permission in permissions {
        assert!(all.iter().any(|known| known.as_str() == *permission));
        assert!(!held.iter().any(|held| held == permission), "{role}");
    }
}

#[test]
fn each_role_of_the_design_exists_at_its_scope() {
    let file = File::load();
    let at = |scope| -> Vec<_> {
        let roles = file.roles.iter().filter(|role| role.scope == scope);
        roles.map(|role| role.name.as_str()).collect()
    };
    assert_eq!(at(RoleScope::Platform), ["superadmin", "reviewer"]);
    assert_eq!(at(RoleScope::Tenant), ["client_admin", "client_user"]);
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
        let mut held = File::load().held_by(role);
        held.retain(|name| name != "audit:query");
        assert!(held.iter().all(|name| name.ends_with(":read")), "{role}");
        assert!(!held.is_empty());
    }
}

#[test]
fn the_audit_log_is_read_by_those_who_are_meant_to() {
    let file = File::load();
    let readers = file.roles.iter().filter(|role| {
        let held = file.held_by(&role.name);
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
    let held = File::load().held_by("model_manager");
    assert!(held.iter().all(|name| !name.ends_with(":delete")));
    let sensitive = ["datasets", "traces", "predictions", "artifacts"];
    let sees = |name: &String| sensitive.contains(&name.split(':').next().unwrap());
    assert!(!held.iter().any(sees));
    assert!(held.contains(&"models:approve".to_owned()));
}
