//! Whether a permission is held at a scope.

use super::super::condition::Thing;
use super::super::{Asked, DenialReason, Grant, RoleTable, Route, Scene, Subject};
use super::{Case, Facts, Verdict};
use crate::domain::{
    Effect, Permission, PermissionIndex, Project, ResourceId, RoleScope, Scope, TenantId,
};

/// Who asks for what by which route.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// Who may do what.
    pub table: &'a RoleTable,
    /// Who asks.
    pub subject: &'a Subject,
    /// By which route.
    pub route: &'a Route,
    /// For what; `None`: being known is enough.
    pub wanted: Option<(&'a Permission, PermissionIndex)>,
    /// How.
    pub asked: &'a Asked<'a>,
}

impl<'a> Claim<'a> {
    /// The grant by which the claim is good on a thing in a project, or what is in the way;
    /// no grant where none is needed.
    pub fn on(
        self,
        project: Option<&'a Project>,
        resource: Option<ResourceId>,
        thing: Thing<'a>,
    ) -> Result<Option<&'a Grant>, DenialReason> {
        let principal = &self.subject.principal;
        let scene = Scene::new(self.table, principal, project, self.asked).with(thing);
        let met = self.route.when.as_ref().map(|when| when.holds(&scene));
        if !met.is_none_or(|met| met.unwrap_or(false)) {
            return Err(DenialReason::ConditionUnmet);
        }
        let Some(wanted) = self.wanted else {
            return Ok(None);
        };
        let scope = scope_of(self.route, project, resource);
        let scope = scope.ok_or(DenialReason::ProjectRequired)?;
        self.held(scope, wanted, &scene).map(Some)
    }

    /// The grant by which the claim is good in a tenant as a whole.
    pub fn in_tenant(self, tenant: TenantId) -> Result<Option<&'a Grant>, DenialReason> {
        let scene = Scene::new(self.table, &self.subject.principal, None, self.asked);
        let when = self.route.when.as_ref();
        if when.is_some_and(|when| !when.holds(&scene).unwrap_or(false)) {
            return Err(DenialReason::ConditionUnmet);
        }
        match self.wanted {
            Some(wanted) => self.held(Scope::Tenant(tenant), wanted, &scene).map(Some),
            None => Ok(None),
        }
    }

    /// An explicit denial that covers the scope wins over every grant, whatever the role and
    /// wherever it is held. The credential narrows what is left.
    fn held(
        self,
        scope: Scope,
        (name, index): (&Permission, PermissionIndex),
        scene: &Scene<'_>,
    ) -> Result<&'a Grant, DenialReason> {
        let in_project = matches!(scope, Scope::Project(_) | Scope::Resource { .. });
        if self.subject.credential.projects.is_some() && !in_project {
            return Err(DenialReason::CredentialScope);
        }
        let mut granted = None;
        let principal = self.subject.principal.id;
        for grant in self.table.grants_covering(principal, scope) {
            match grant.effect_on(index, scene) {
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
        credential(self.subject, (name, index))?;
        Ok(grant)
    }

    /// Whether it is good anywhere, as far as that can be told without a place.
    pub(super) fn somewhere(self) -> Result<(), DenialReason> {
        let scene = Scene::new(self.table, &self.subject.principal, None, self.asked);
        let when = self.route.when.as_ref().filter(|when| !when.reads_place());
        if when.is_some_and(|when| !when.holds(&scene).unwrap_or(false)) {
            return Err(DenialReason::ConditionUnmet);
        }
        let Some((name, index)) = self.wanted else {
            return Ok(());
        };
        if !self.table.holds(self.subject.principal.id, index) {
            return Err(DenialReason::PermissionMissing {
                permission: name.clone(),
                scope: None,
            });
        }
        credential(self.subject, (name, index))
    }
}

/// Where a route asks for its permission: on the object, if it is about one. `None`: in a
/// project that is not known.
fn scope_of(
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

/// The verdict upon a claim that is good, with the roles that count, which are told to the
/// backend: those in the project, or of the platform where there is none.
pub(super) fn verdict(case: Case<'_>, facts: &Facts, grant: Option<&Grant>) -> Verdict {
    let project = facts.project.as_deref();
    let claim = case.claim;
    let scope = grant.map(|_| scope_of(claim.route, project, None));
    let scope = scope.unwrap_or_else(|| project.map(|project| Scope::Project(project.id)));
    let scene = Scene::new(claim.table, &claim.subject.principal, project, claim.asked);
    let grants = claim
        .table
        .grants_covering(claim.subject.principal.id, scope.unwrap_or(Scope::Platform));
    let roles = grants
        .filter(|grant| grant.effect == Effect::Allow)
        .filter(|grant| grant.counts(&scene) == Some(true));
    Verdict {
        route: case.route.clone(),
        roles: roles.cloned().collect(),
        granted_by: grant.cloned(),
        sight: None,
    }
}
