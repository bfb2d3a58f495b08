//! Roles and their bindings.

use serde::{Deserialize, Serialize};

use super::{BindingId, PrincipalId, RoleId, Scope, TenantId};

/// At which kind of scope a role can be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleScope {
    /// On the platform.
    Platform,
    /// On a tenant.
    Tenant,
    /// On a project.
    Project,
}

impl RoleScope {
    /// The word used in SQL and YAML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Tenant => "tenant",
            Self::Project => "project",
        }
    }
}

/// A named set of permissions, still in words (`models:read`, `models:*`, `*:read`, `*:*`), some
/// under a condition, some taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// The tenant whose custom role it is; `None` for a built-in role.
    pub tenant: Option<TenantId>,
    /// Its name, unique among the built-in roles or in its tenant.
    pub name: String,
    /// Where it can be bound.
    pub scope: RoleScope,
    /// Its lines ([`PermissionRule`](super::PermissionRule)).
    pub permissions: Vec<String>,
}

/// A role that comes with the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltInRole {
    /// Its name.
    pub name: String,
    /// Where it can be bound.
    pub scope: RoleScope,
    /// Its lines ([`PermissionRule`](super::PermissionRule)).
    pub permissions: Vec<String>,
}

/// What a binding does with the permissions of its role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Grants them.
    #[default]
    Allow,
    /// Takes them away, whatever other bindings grant.
    Deny,
}

impl Effect {
    /// The word used in SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// (principal, role, scope), and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Binding {
    /// Its id.
    pub id: BindingId,
    /// Who holds the role.
    pub principal: PrincipalId,
    /// The role.
    pub role: RoleId,
    /// Where.
    pub scope: Scope,
    /// What the role's permissions are there.
    pub effect: Effect,
    /// Counts only while this holds, in CEL; `None`: always.
    pub condition: Option<String>,
}
