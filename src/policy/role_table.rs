//! The role table: who holds which role where, ready for a decision.
//!
//! A snapshot: built whole from the database, swapped whole, never changed. A
//! look-up is a hash and a binary search, whatever the number of bindings.

use std::sync::Arc;

use ahash::AHashMap;

use crate::domain::{
    BindingId, Catalogue, Effect, PermissionIndex, PermissionSet, PolicyRows, Principal,
    PrincipalId, Project, ProjectId, Role, RoleId, RoleScope, Scope, Slug, Tenant, TenantId,
};

/// Name of the built-in role that a project's owner holds without a binding.
const OWNER: &str = "owner";

/// A role as a decision sees it.
#[derive(Debug)]
pub struct HeldRole {
    /// Its name.
    pub name: String,
    permissions: PermissionSet,
}

/// One role held by a principal at one scope.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Where it holds.
    pub scope: Scope,
    /// The role.
    pub role: Arc<HeldRole>,
    /// The binding that gives it; `None` for a project's owner.
    pub binding: Option<BindingId>,
}

impl Grant {
    /// All that this role holds.
    #[must_use]
    pub fn permissions(&self) -> &PermissionSet {
        &self.role.permissions
    }

    /// Whether this role holds the permission.
    #[must_use]
    pub fn allows(&self, permission: PermissionIndex) -> bool {
        self.role.permissions.contains(permission)
    }
}

#[derive(Debug)]
struct Holder {
    principal: Arc<Principal>,
    /// Sorted by scope.
    grants: Vec<Grant>,
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
        let (roles, unknown) = compile_roles(&rows.roles, catalogue);
        let owner = rows
            .roles
            .iter()
            .find(|role| role.tenant.is_none() && role.name == OWNER)
            .and_then(|role| roles.get(&role.id));
        let mut grants = collect_grants(&rows, &roles, owner);
        let holders = rows
            .principals
            .into_iter()
            .map(|principal| {
                let mut grants = grants.remove(&principal.id).unwrap_or_default();
                grants.sort_by_key(|grant| grant.scope);
                let principal = Arc::new(principal);
                (principal.id, Holder { principal, grants })
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
        let Some(holder) = self.holders.get(&principal) else {
            return &[];
        };
        let start = holder.grants.partition_point(|grant| grant.scope < scope);
        let len = holder.grants[start..].partition_point(|grant| grant.scope == scope);
        &holder.grants[start..start + len]
    }

    /// Every role that the principal holds anywhere.
    pub fn grants_of(&self, principal: PrincipalId) -> impl Iterator<Item = &Grant> {
        let holder = self.holders.get(&principal);
        holder.into_iter().flat_map(|holder| &holder.grants)
    }

    /// Every role that counts at this scope: held there or at a scope around it.
    pub fn grants_covering(
        &self,
        principal: PrincipalId,
        scope: Scope,
    ) -> impl Iterator<Item = &Grant> {
        let tenant = match scope {
            Scope::Platform => None,
            Scope::Tenant(tenant) => Some(tenant),
            Scope::Project(project) | Scope::Resource { project, .. } => {
                self.project(project).map(|project| project.tenant)
            }
        };
        let project = matches!(scope, Scope::Project(_)).then_some(scope);
        let around = [Some(Scope::Platform), tenant.map(Scope::Tenant), project];
        around
            .into_iter()
            .flatten()
            .flat_map(move |scope| self.grants_at(principal, scope))
    }

    /// The projects that the principal has a role on directly, sorted by id.
    pub fn own_projects(&self, principal: PrincipalId) -> impl Iterator<Item = ProjectId> {
        let grants = self
            .holders
            .get(&principal)
            .map_or(&[][..], |holder| &holder.grants);
        let mut last = None;
        grants.iter().filter_map(move |grant| match grant.scope {
            Scope::Project(id) if last != Some(id) => {
                last = Some(id);
                last
            }
            _ => None,
        })
    }
}

type Roles = AHashMap<RoleId, Arc<HeldRole>>;

fn compile_roles(roles: &[Role], catalogue: &Catalogue) -> (Roles, Vec<(String, String)>) {
    let mut unknown = Vec::new();
    let compiled = roles
        .iter()
        .map(|role| {
            let (permissions, missing) =
                catalogue.expand(role.permissions.iter().map(String::as_str));
            let name = &role.name;
            unknown.extend(missing.into_iter().map(|p| (name.clone(), p.to_owned())));
            let held = HeldRole {
                name: role.name.clone(),
                permissions,
            };
            (role.id, Arc::new(held))
        })
        .collect();
    (compiled, unknown)
}

fn collect_grants(
    rows: &PolicyRows,
    roles: &Roles,
    owner: Option<&Arc<HeldRole>>,
) -> AHashMap<PrincipalId, Vec<Grant>> {
    let mut grants: AHashMap<PrincipalId, Vec<Grant>> = AHashMap::new();
    let scopes: AHashMap<RoleId, RoleScope> = rows
        .roles
        .iter()
        .map(|role| (role.id, role.scope))
        .collect();
    for binding in &rows.bindings {
        // The database refuses such a row; a table that trusts it would be one bug from a leak.
        let fits = scopes.get(&binding.role) == Some(&kind(binding.scope));
        let plain = binding.effect == Effect::Allow && binding.condition.is_none();
        if let (true, Some(role)) = (fits && plain, roles.get(&binding.role)) {
            grants.entry(binding.principal).or_default().push(Grant {
                scope: binding.scope,
                role: Arc::clone(role),
                binding: Some(binding.id),
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
            }));
    }
    grants
}

const fn kind(scope: Scope) -> RoleScope {
    match scope {
        Scope::Platform => RoleScope::Platform,
        Scope::Tenant(_) => RoleScope::Tenant,
        Scope::Project(_) | Scope::Resource { .. } => RoleScope::Project,
    }
}
