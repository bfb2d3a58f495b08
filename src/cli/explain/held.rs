//! Roles, as they are told.

use serde::Serialize;

use crate::domain::{BindingId, Effect, ProjectId, Scope};
use crate::policy::{Grant, RoleTable};

/// A role held somewhere.
#[derive(Debug, Serialize)]
pub(super) struct Held {
    role: String,
    scope: String,
    /// `None` for a project's owner, who needs no binding.
    binding: Option<BindingId>,
    /// `allow` or `deny`.
    effect: &'static str,
    /// CEL: it counts while this holds.
    when: Option<String>,
}

impl Held {
    pub(super) fn new(grant: &Grant, table: &RoleTable) -> Self {
        Self {
            role: grant.role.name.clone(),
            scope: scope(grant.scope, table),
            binding: grant.binding,
            effect: grant.effect.as_str(),
            when: grant.condition.as_ref().map(ToString::to_string),
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { role, scope, .. } = self;
        let denied = if self.effect == Effect::Deny.as_str() {
            "the denial of "
        } else {
            ""
        };
        let when = self.when.as_ref();
        let when = when.map_or_else(String::new, |when| format!(", when {when}"));
        let how = self.binding.map_or_else(
            || "as its owner".to_owned(),
            |id| format!("by binding {id}"),
        );
        format!("{denied}role {role} on {scope}{when} {how}")
    }
}

fn scope(scope: Scope, table: &RoleTable) -> String {
    match scope {
        Scope::Platform => "the platform".to_owned(),
        Scope::Tenant(id) => {
            let tenant = table.tenant(id);
            tenant.map_or_else(String::new, |tenant| format!("tenant {}", tenant.slug))
        }
        Scope::Project(id) => format!("project {}", path(id, table)),
        Scope::Resource { project, id } => format!("object {id} of {}", path(project, table)),
    }
}

/// TENANT/PROJECT.
pub(super) fn path(project: ProjectId, table: &RoleTable) -> String {
    let found = table.project(project);
    let path = found.and_then(|project| {
        let tenant = table.tenant(project.tenant)?;
        Some(format!("{}/{}", tenant.slug, project.slug))
    });
    path.unwrap_or_else(|| project.to_string())
}
