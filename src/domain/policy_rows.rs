//! The rows that decisions rest on.

use super::{
    Binding, BindingId, Principal, PrincipalId, Project, ProjectId, Role, RoleId, Tenant, TenantId,
};

/// Everything a role table is built from, read in one transaction; or of that the rows that
/// a change touched.
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

/// Rows that a change made, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TouchedRows {
    /// Tenants.
    Tenants(Vec<TenantId>),
    /// Projects.
    Projects(Vec<ProjectId>),
    /// Users and service accounts.
    Principals(Vec<PrincipalId>),
    /// Roles.
    Roles(Vec<RoleId>),
    /// Bindings.
    Bindings(Vec<BindingId>),
    /// None of these, as keys: the version alone moved.
    Others,
}
