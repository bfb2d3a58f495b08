//! The rows that decisions rest on.

use super::{Binding, Principal, Project, Role, Tenant};

/// Everything a role table is built from, read in one transaction.
#[derive(Debug, Default)]
pub struct PolicyRows {
    /// Version of the data, bumped by every change.
    pub version: i64,
    /// All tenants.
    pub tenants: Vec<Tenant>,
    /// All projects.
    pub projects: Vec<Project>,
    /// All users and service accounts.
    pub principals: Vec<Principal>,
    /// All roles, built in and custom.
    pub roles: Vec<Role>,
    /// All bindings.
    pub bindings: Vec<Binding>,
}
