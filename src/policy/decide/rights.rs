//! Whether a permission is held at a scope.

use super::super::{DenialReason, Grant, RoleTable, Route, Subject};
use super::{Case, Facts, Verdict};
use crate::domain::{Effect, Permission, PermissionIndex, Project, ResourceId, RoleScope, Scope};

/// Where a route asks for its permission: around the object, if it is about one. `None`:
/// in a project that is not known.
pub fn scope_of(
    route: &Route,
    project: Option<&Project>,
    resource: Option<ResourceId>,
) -> Option<Scope> {
    match (route.scope, project, resource) {
        (RoleScope::Platform, ..) => Some(Scope::Platform),
        (RoleScope::Tenant, Some(project), _) => Some(Scope::Tenant(project.tenant)),
        (RoleScope::Project, Some(project), None) => Some(Scope::Project(project.id)),
        (RoleScope::Project, Some(project), Some(id)) => Some(Scope::Resource {
            project: project.id,
            id,
        }),
        (_, None, _) => None,
    }
}

/// The grant by which the principal may, or what is in the way. An explicit denial that
/// covers the scope wins over every grant, whatever the role and wherever it is held. The
/// credential narrows what is left.
pub fn may<'t>(
    table: &'t RoleTable,
    subject: &Subject,
    scope: Scope,
    (name, index): (&Permission, PermissionIndex),
) -> Result<&'t Grant, DenialReason> {
    let in_project = matches!(scope, Scope::Project(_) | Scope::Resource { .. });
    if subject.credential.projects.is_some() && !in_project {
        return Err(DenialReason::CredentialScope);
    }
    let mut granted = None;
    for grant in table.grants_covering(subject.principal.id, scope) {
        match grant.effect_on(index) {
            Some(Effect::Deny) => {
                return Err(DenialReason::ExplicitlyDenied {
                    permission: name.clone(),
                });
            }
            Some(Effect::Allow) => granted = granted.or(Some(grant)),
            None => {}
        }
    }
    let grant = granted.ok_or_else(|| DenialReason::PermissionMissing {
        permission: name.clone(),
        scope: Some(scope),
    })?;
    credential(subject, (name, index))?;
    Ok(grant)
}

fn credential(
    subject: &Subject,
    (name, index): (&Permission, PermissionIndex),
) -> Result<(), DenialReason> {
    match &subject.credential.permissions {
        Some(limits) if !limits.contains(index) => Err(DenialReason::CredentialPermission {
            permission: name.clone(),
        }),
        _ => Ok(()),
    }
}

/// The permission is held at the scope.
pub(super) fn permitted(
    case: Case<'_>,
    scope: Scope,
    wanted: (&Permission, PermissionIndex),
) -> Result<Verdict, DenialReason> {
    let grant = may(case.question.table, case.subject, scope, wanted)?;
    Ok(Verdict {
        granted_by: Some(grant.clone()),
        ..Verdict::new(case.route, roles_at(case, scope))
    })
}

/// The permission is held at some scope, whichever.
pub(super) fn somewhere(
    case: Case<'_>,
    wanted @ (name, index): (&Permission, PermissionIndex),
) -> Result<(), DenialReason> {
    if !case.question.table.holds(case.subject.principal.id, index) {
        return Err(DenialReason::PermissionMissing {
            permission: name.clone(),
            scope: None,
        });
    }
    credential(case.subject, wanted)
}

/// No permission is asked for here: the roles are told to the backend, that is all.
pub(super) fn unasked(case: Case<'_>, facts: &Facts) -> Verdict {
    let scope = facts.project.as_ref().map(|it| Scope::Project(it.id));
    let roles = roles_at(case, scope.unwrap_or(Scope::Platform));
    Verdict::new(case.route, roles)
}

fn roles_at(case: Case<'_>, scope: Scope) -> Vec<Grant> {
    let table = case.question.table;
    let grants = table.grants_covering(case.subject.principal.id, scope);
    let granted = grants.filter(|grant| grant.effect == Effect::Allow);
    granted.cloned().collect()
}
