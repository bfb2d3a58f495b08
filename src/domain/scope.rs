//! Where a permission holds: on the platform, in a tenant, in a project, on an object.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{KeyRules, PrincipalId, ProjectId, ResourceId, SessionRules, Slug, TenantId};

/// A tenant: the outer isolation boundary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its short name, unique on the platform.
    pub slug: Slug,
    /// Its display name.
    pub name: String,
    /// What it asks of sessions.
    #[serde(skip)]
    pub session_rules: Option<Arc<SessionRules>>,
    /// What it asks of keys.
    #[serde(skip)]
    pub key_rules: Option<Arc<KeyRules>>,
}

/// A project: lives in a tenant, has exactly one owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The tenant it lives in.
    pub tenant: TenantId,
    /// Its short name, unique in the tenant.
    pub slug: Slug,
    /// Its display name.
    pub name: String,
    /// The one owner, who holds the built-in role `owner` without a binding.
    pub owner: PrincipalId,
    /// What it asks of sessions, besides its tenant.
    #[serde(skip)]
    pub session_rules: Option<Arc<SessionRules>>,
}

/// The scope of a binding or of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything.
    Platform,
    /// A tenant and all its projects.
    Tenant(TenantId),
    /// One project and all objects in it.
    Project(ProjectId),
    /// One object of a project.
    Resource {
        /// The project it belongs to. Where that is not the object's, nothing holds.
        project: ProjectId,
        /// The record of the object.
        id: ResourceId,
    },
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Tenant(id) => write!(f, "tenant {id}"),
            Self::Project(id) => write!(f, "project {id}"),
            Self::Resource { id, .. } => write!(f, "resource {id}"),
        }
    }
}
