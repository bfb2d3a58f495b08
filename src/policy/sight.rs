//! What the caller of a filtered list may see of it.

use std::sync::Arc;

use super::decide::{may, scope_of};
use super::{RoleTable, Route, Subject};
use crate::domain::{Owner, Permission, PermissionIndex, ProjectId, Scope};

/// Which items stay in a filtered answer. Part of a permit: judges each by the same code as
/// the decision itself.
#[derive(Debug)]
pub struct Sight {
    /// What the route asks for; `None` if it asks for a known principal only.
    wanted: Option<(Permission, PermissionIndex)>,
    /// The only project that was asked about; `None`: every one.
    project: Option<ProjectId>,
}

impl Sight {
    pub(super) const fn new(
        wanted: Option<(Permission, PermissionIndex)>,
        project: Option<ProjectId>,
    ) -> Self {
        Self { wanted, project }
    }

    pub(super) fn sees(
        &self,
        table: &RoleTable,
        subject: &Subject,
        route: &Route,
        owner: &Owner,
    ) -> bool {
        let asked = self.project.is_none_or(|project| project == owner.project);
        let Some(project) = table.project(owner.project).map(Arc::as_ref) else {
            return false;
        };
        if !asked || !subject.credential.admits(project.id) {
            return false;
        }
        let object = Scope::Resource {
            project: project.id,
            id: owner.resource,
        };
        let Some((name, index)) = &self.wanted else {
            return table.admits(subject.principal.id, object);
        };
        scope_of(route, Some(project), Some(owner.resource))
            .is_some_and(|scope| may(table, subject, scope, (name, *index)).is_ok())
    }
}
