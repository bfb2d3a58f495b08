//! The role table: who holds which role where, ready for a decision.
//!
//! A snapshot: built whole from the database, swapped whole, never changed. A
//! look-up is a hash and a binary search, whatever the number of bindings.

use std::sync::Arc;

use ahash::AHashMap;

use super::held_role::{Conditions, Grant, HeldRole};
use crate::domain::{
    Catalogue, Effect, PermissionIndex, PermissionSet, PolicyRows, Principal, PrincipalId, Project,
    ProjectId, Role, RoleId, RoleScope, Scope, Slug, Tenant, TenantId,
};

/// Name of the built-in role that a project's owner holds without a binding.
const OWNER: &str = "owner";

#[derive(Debug)]
struct Holder {
    principal: Arc<Principal>,
    /// Sorted by scope.
    grants: Vec<Grant>,
    /// What is held at any scope.
    anywhere: PermissionSet,
}

/// See the module.
#[derive(Debug, Default)]
pub struct RoleTable {
    version: i64,
    tenants: AHashMap<TenantId, Arc<Tenant>>,
    tenants_by_slug: AHashMap<Slug, TenantId>,
    projects: AHashMap<ProjectId, Arc<Project>>,
    projects_by_slug: AHashMap<(TenantId, Slug), ProjectId>,
    holders: AHashMap<PrincipalId, Holder>,
}

impl RoleTable {
    /// Builds the table. Permission patterns that match nothing in the catalogue
    /// grant nothing; they are returned as (role, pattern) for a warning.
    #[must_use]
    pub fn build(rows: PolicyRows, catalogue: &Catalogue) -> (Self, Vec<(String, String)>) {
        let mut conditions = Conditions::default();
        let (roles, unknown) = compile_roles(&rows.roles, catalogue, &mut conditions);
        let owner = rows
            .roles
            .iter()
            .find(|role| role.tenant.is_none() && role.name == OWNER)
            .and_then(|role| roles.get(&role.id));
        let mut grants = collect_grants(&rows, &roles, owner, &mut conditions);
        let holders = rows
            .principals
            .into_iter()
            .map(|principal| {
                let mut grants = grants.remove(&principal.id).unwrap_or_default();
                grants.sort_by_key(|grant| grant.scope);
                let anywhere = anywhere(&grants);
                let principal = Arc::new(principal);
                let holder = Holder {
                    principal,
                    grants,
                    anywhere,
                };
                (holder.principal.id, holder)
            })
            .collect();
        let table = Self {
            version: rows.version,
            tenants_by_slug: rows
                .tenants
                .iter()
                .map(|t| (t.slug.clone(), t.id))
                .collect(),
            projects_by_slug: rows
                .projects
                .iter()
                .map(|p| ((p.tenant, p.slug.clone()), p.id))
                .collect(),
            tenants: rows
                .tenants
                .into_iter()
                .map(|t| (t.id, Arc::new(t)))
                .collect(),
            projects: rows
                .projects
                .into_iter()
                .map(|p| (p.id, Arc::new(p)))
                .collect(),
            holders,
        };
        (table, unknown)
    }

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
        let grants = self.grants(principal);
        let start = grants.partition_point(|grant| grant.scope < scope);
        let len = grants[start..].partition_point(|grant| grant.scope == scope);
        &grants[start..start + len]
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
        around
            .into_iter()
            .flatten()
            .flat_map(move |scope| self.grants_at(principal, scope))
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

type Roles = AHashMap<RoleId, Arc<HeldRole>>;

fn compile_roles(
    roles: &[Role],
    catalogue: &Catalogue,
    conditions: &mut Conditions,
) -> (Roles, Vec<(String, String)>) {
    let mut unknown = Vec::new();
    let compiled = roles
        .iter()
        .map(|role| {
            let (held, missing) = HeldRole::compile(role, catalogue, conditions);
            let name = &role.name;
            unknown.extend(missing.into_iter().map(|p| (name.clone(), p.to_owned())));
            (role.id, Arc::new(held))
        })
        .collect();
    (compiled, unknown)
}

fn collect_grants(
    rows: &PolicyRows,
    roles: &Roles,
    owner: Option<&Arc<HeldRole>>,
    conditions: &mut Conditions,
) -> AHashMap<PrincipalId, Vec<Grant>> {
    let mut grants: AHashMap<PrincipalId, Vec<Grant>> = AHashMap::new();
    let scopes: AHashMap<RoleId, RoleScope> = rows
        .roles
        .iter()
        .map(|role| (role.id, role.scope))
        .collect();
    for binding in &rows.bindings {
        // The database refuses such a row; a table that trusts it would be one bug from a leak.
        let fits = scopes
            .get(&binding.role)
            .is_some_and(|role| fits(*role, binding.scope));
        if let (true, Some(role)) = (fits, roles.get(&binding.role)) {
            let condition = binding.condition.as_deref();
            grants.entry(binding.principal).or_default().push(Grant {
                scope: binding.scope,
                role: Arc::clone(role),
                binding: Some(binding.id),
                effect: binding.effect,
                condition: condition.map(|text| conditions.compile(text)),
            });
        }
    }
    for project in owner.map_or(&[][..], |_| &rows.projects) {
        grants
            .entry(project.owner)
            .or_default()
            .extend(owner.map(|role| Grant {
                scope: Scope::Project(project.id),
                role: Arc::clone(role),
                binding: None,
                effect: Effect::Allow,
                condition: None,
            }));
    }
    grants
}

/// A role of projects may be bound on one object too.
const fn fits(role: RoleScope, scope: Scope) -> bool {
    match scope {
        Scope::Platform => matches!(role, RoleScope::Platform),
        Scope::Tenant(_) => matches!(role, RoleScope::Tenant),
        Scope::Project(_) | Scope::Resource { .. } => matches!(role, RoleScope::Project),
    }
}

fn anywhere(grants: &[Grant]) -> PermissionSet {
    let mut all = PermissionSet::default();
    let given = grants.iter().filter(|grant| grant.effect == Effect::Allow);
    given.for_each(|grant| all.add(grant.role.ever()));
    all
}
