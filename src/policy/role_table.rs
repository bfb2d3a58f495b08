//! The role table: who holds which role where, ready for a decision.
//!
//! A snapshot: never changed, swapped whole. The next one is built anew, or, where it is
//! known which rows changed, made from this one: what did not change is shared by both.
//! A look-up is two hashes and a binary search, whatever the number of bindings.

use std::sync::Arc;

use super::held_role::{Grant, HeldRole};
use crate::domain::{
    BindingId, Effect, PermissionIndex, PermissionSet, Principal, PrincipalId, Project, ProjectId,
    RoleId, RoleScope, Scope, SessionRules, Slug, Tenant, TenantId,
};

mod build;
mod change;
mod sharded;

use sharded::Sharded;

#[derive(Debug)]
struct Holder {
    principal: Arc<Principal>,
    /// Sorted by scope.
    grants: Box<[Grant]>,
    /// What is held at any scope.
    anywhere: PermissionSet,
}

#[derive(Clone, Debug)]
struct KnownRole {
    held: Arc<HeldRole>,
    scope: RoleScope,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct RoleTable {
    version: i64,
    tenants: Sharded<TenantId, Arc<Tenant>>,
    tenants_by_slug: Sharded<Slug, TenantId>,
    projects: Sharded<ProjectId, Arc<Project>>,
    projects_by_slug: Sharded<(TenantId, Slug), ProjectId>,
    holders: Sharded<PrincipalId, Arc<Holder>>,
    roles: Sharded<RoleId, KnownRole>,
    /// Who holds a binding: a change names bindings only.
    bound: Sharded<BindingId, PrincipalId>,
    /// The role that a project's owner holds without a binding.
    owner: Option<Arc<HeldRole>>,
}

impl RoleTable {
    /// Version of the data it was built from.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// A principal, disabled or not.
    #[must_use]
    pub fn principal(&self, id: PrincipalId) -> Option<&Arc<Principal>> {
        self.holders.get(&id).map(|holder| &holder.principal)
    }

    /// A tenant.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    /// A tenant by its short name.
    #[must_use]
    pub fn tenant_by_slug(&self, slug: &Slug) -> Option<&Arc<Tenant>> {
        self.tenants.get(self.tenants_by_slug.get(slug)?)
    }

    /// A project.
    #[must_use]
    pub fn project(&self, id: ProjectId) -> Option<&Arc<Project>> {
        self.projects.get(&id)
    }

    /// A project by the short names of its tenant and itself.
    #[must_use]
    pub fn project_by_slug(&self, tenant: TenantId, slug: &Slug) -> Option<&Arc<Project>> {
        self.projects
            .get(self.projects_by_slug.get(&(tenant, slug.clone()))?)
    }

    /// All projects.
    pub fn projects(&self) -> impl Iterator<Item = &Arc<Project>> {
        self.projects.values()
    }

    /// Every role that the principal holds at exactly this scope.
    #[must_use]
    pub fn grants_at(&self, principal: PrincipalId, scope: Scope) -> &[Grant] {
        at(self.grants(principal), scope)
    }

    /// Every role that the principal holds anywhere.
    pub fn grants_of(&self, principal: PrincipalId) -> impl Iterator<Item = &Grant> {
        self.grants(principal).iter()
    }

    /// Every role that counts at this scope: held there or at a scope around it.
    pub fn grants_covering(
        &self,
        principal: PrincipalId,
        scope: Scope,
    ) -> impl Iterator<Item = &Grant> {
        let project = match scope {
            Scope::Platform | Scope::Tenant(_) => None,
            Scope::Project(project) | Scope::Resource { project, .. } => Some(project),
        };
        let tenant = match scope {
            Scope::Tenant(tenant) => Some(tenant),
            _ => project.and_then(|id| Some(self.project(id)?.tenant)),
        };
        let resource = matches!(scope, Scope::Resource { .. }).then_some(scope);
        let around = [
            Some(Scope::Platform),
            tenant.map(Scope::Tenant),
            project.map(Scope::Project),
            resource,
        ];
        let grants = self.grants(principal);
        around
            .into_iter()
            .flatten()
            .flat_map(move |scope| at(grants, scope))
    }

    /// Whether the principal holds some role that counts at this scope.
    #[must_use]
    pub fn admits(&self, principal: PrincipalId, scope: Scope) -> bool {
        self.grants_covering(principal, scope)
            .any(|grant| grant.effect == Effect::Allow)
    }

    /// Whether the principal holds some role that counts in the project or on an object of it.
    #[must_use]
    pub fn reaches(&self, principal: PrincipalId, project: ProjectId) -> bool {
        self.admits(principal, Scope::Project(project))
            || self.grants(principal).iter().any(|grant| {
                let within =
                    matches!(grant.scope, Scope::Resource { project: it, .. } if it == project);
                within && grant.effect == Effect::Allow
            })
    }

    /// Whether the principal holds the permission at any scope.
    #[must_use]
    pub fn holds(&self, principal: PrincipalId, permission: PermissionIndex) -> bool {
        self.holders
            .get(&principal)
            .is_some_and(|holder| holder.anywhere.contains(permission))
    }

    fn grants(&self, principal: PrincipalId) -> &[Grant] {
        self.holders
            .get(&principal)
            .map_or(&[][..], |holder| &holder.grants)
    }

    /// The rules of every tenant and project in which the principal holds a role, in no order and
    /// perhaps more than once.
    pub fn session_rules_over(
        &self,
        principal: PrincipalId,
    ) -> impl Iterator<Item = &SessionRules> {
        let grants = self.grants(principal).iter();
        grants.flat_map(|grant| {
            let (tenant, project) = match grant.scope {
                Scope::Platform => (None, None),
                Scope::Tenant(tenant) => (Some(tenant), None),
                Scope::Project(project) | Scope::Resource { project, .. } => {
                    let project = self.project(project);
                    (project.map(|project| project.tenant), project)
                }
            };
            let tenant = tenant.and_then(|tenant| self.tenant(tenant));
            let of_tenant = tenant.and_then(|tenant| tenant.session_rules.as_deref());
            let of_project = project.and_then(|project| project.session_rules.as_deref());
            [of_tenant, of_project].into_iter().flatten()
        })
    }

    /// Whether whatever the principal has a right to is in tenants that let nobody in by
    /// password. Who has none anywhere is not concerned.
    #[must_use]
    pub fn is_closed_to_passwords(&self, principal: PrincipalId) -> bool {
        let grants = self.grants(principal);
        let closed = |scope: Scope| {
            let tenant = match scope {
                Scope::Platform => None,
                Scope::Tenant(tenant) => Some(tenant),
                Scope::Project(project) | Scope::Resource { project, .. } => {
                    self.project(project).map(|project| project.tenant)
                }
            };
            let tenant = tenant.and_then(|tenant| self.tenant(tenant));
            let rules = tenant.and_then(|tenant| tenant.session_rules.as_deref());
            rules.is_some_and(|rules| rules.takes_no_password(principal))
        };
        !grants.is_empty() && grants.iter().all(|grant| closed(grant.scope))
    }

    /// Whether somebody has been given anything in a tenant.
    #[must_use]
    pub fn is_in(&self, principal: PrincipalId, tenant: TenantId) -> bool {
        let is_here = |grant: &Grant| match grant.scope {
            Scope::Platform => false,
            Scope::Tenant(own) => own == tenant,
            Scope::Project(project) | Scope::Resource { project, .. } => {
                let project = self.project(project);
                project.is_some_and(|project| project.tenant == tenant)
            }
        };
        self.grants(principal).iter().any(is_here)
    }

    /// The tenants that take only the word of their own providers, but for this person.
    pub fn glass_of(&self, principal: PrincipalId) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values().filter(move |tenant| {
            let rules = tenant.session_rules.as_deref();
            rules.is_some_and(|rules| rules.enforce_sso && rules.breaks_glass(principal))
        })
    }

    /// The projects that the principal has a role on directly, sorted by id.
    pub fn own_projects(&self, principal: PrincipalId) -> impl Iterator<Item = ProjectId> {
        let mut last = None;
        let grants = self.grants(principal).iter();
        let grants = grants.filter(|grant| grant.effect == Effect::Allow);
        grants.filter_map(move |grant| match grant.scope {
            Scope::Project(id) if last != Some(id) => {
                last = Some(id);
                last
            }
            _ => None,
        })
    }
}

/// Those at exactly this scope, of some that are sorted by scope.
fn at(grants: &[Grant], scope: Scope) -> &[Grant] {
    let start = grants.partition_point(|grant| grant.scope < scope);
    let rest = &grants[start..];
    let end = rest.iter().position(|grant| grant.scope != scope);
    &rest[..end.unwrap_or(rest.len())]
}

impl Holder {
    fn new(principal: Arc<Principal>, mut grants: Vec<Grant>) -> Self {
        grants.sort_by_key(|grant| grant.scope);
        let mut anywhere = PermissionSet::default();
        let given = grants.iter().filter(|grant| grant.effect == Effect::Allow);
        given.for_each(|grant| anywhere.add(grant.role.ever()));
        Self {
            principal,
            grants: grants.into(),
            anywhere,
        }
    }
}
