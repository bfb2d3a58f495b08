//! A table from all rows.

use std::sync::Arc;

use super::super::held_role::{Conditions, Grant, HeldRole};
use super::{Holder, KnownRole, RoleTable};
use crate::domain::{
    Binding, Catalogue, Effect, PolicyRows, Principal, PrincipalId, Project, Role, RoleId,
    RoleScope, Scope,
};

/// Name of the built-in role that a project's owner holds without a binding.
const OWNER: &str = "owner";

/// Patterns that match nothing, as (role, pattern).
pub(super) type Unknown = Vec<(String, String)>;

impl RoleTable {
    /// Builds the table. Permission patterns that match nothing in the catalogue
    /// grant nothing; they are returned as (role, pattern) for a warning.
    #[must_use]
    pub fn build(rows: PolicyRows, catalogue: &Catalogue) -> (Self, Vec<(String, String)>) {
        let mut table = Self {
            version: rows.version,
            ..Self::default()
        };
        let mut conditions = Conditions::default();
        let mut unknown = Unknown::new();
        for role in &rows.roles {
            table.add_role(role, catalogue, &mut conditions, &mut unknown);
        }
        let mut held = Vec::with_capacity(rows.bindings.len() + rows.projects.len());
        for binding in rows.bindings {
            let role = table.roles.get(&binding.role);
            if let Some(grant) = role.and_then(|role| bound(&binding, role, &mut conditions)) {
                table.bound.insert(binding.id, binding.principal);
                held.push((binding.principal, grant));
            }
        }
        for project in &rows.projects {
            let owned = owned_by(project, table.owner.as_ref());
            held.extend(owned.map(|grant| (project.owner, grant)));
        }
        table.add_holders(rows.principals, held);
        for tenant in rows.tenants {
            table.tenants_by_slug.insert(tenant.slug.clone(), tenant.id);
            table.tenants.insert(tenant.id, Arc::new(tenant));
        }
        for project in rows.projects {
            table.add_project(project);
        }
        (table, unknown)
    }

    /// Side by side, each list as long as it will be: a million short ones that grow would
    /// leave as many holes behind.
    fn add_holders(&mut self, mut principals: Vec<Principal>, mut held: Vec<(PrincipalId, Grant)>) {
        principals.sort_unstable_by_key(|principal| principal.id);
        held.sort_unstable_by_key(|(who, grant)| (*who, grant.scope, grant.binding));
        let mut held = held.into_iter();
        for principal in principals {
            let of_others = held
                .as_slice()
                .partition_point(|(who, _)| *who < principal.id);
            held.by_ref().take(of_others).for_each(drop);
            let own = held
                .as_slice()
                .partition_point(|(who, _)| *who == principal.id);
            let grants = held.by_ref().take(own).map(|(_, grant)| grant).collect();
            let holder = Holder::new(Arc::new(principal), grants);
            self.holders.insert(holder.principal.id, Arc::new(holder));
        }
    }

    pub(super) fn add_role(
        &mut self,
        role: &Role,
        catalogue: &Catalogue,
        conditions: &mut Conditions,
        unknown: &mut Unknown,
    ) {
        let (held, missing) = HeldRole::compile(role, catalogue, conditions);
        unknown.extend(
            missing
                .into_iter()
                .map(|p| (role.name.clone(), p.to_owned())),
        );
        let held = Arc::new(held);
        if role.tenant.is_none() && role.name == OWNER {
            self.owner = Some(Arc::clone(&held));
        }
        let scope = role.scope;
        self.roles.insert(role.id, KnownRole { held, scope });
    }

    pub(super) fn add_project(&mut self, project: Project) {
        let name = (project.tenant, project.slug.clone());
        self.projects_by_slug.insert(name, project.id);
        self.projects.insert(project.id, Arc::new(project));
    }

    /// Whether the role is one that projects' owners hold.
    pub(super) fn is_owner(&self, id: RoleId) -> bool {
        let role = self.roles.get(&id).zip(self.owner.as_ref());
        role.is_some_and(|(role, owner)| Arc::ptr_eq(&role.held, owner))
    }
}

/// What a binding grants. The database refuses a role that does not fit the scope; a table
/// that trusted it would be one bug from a leak.
pub(super) fn bound(
    binding: &Binding,
    role: &KnownRole,
    conditions: &mut Conditions,
) -> Option<Grant> {
    let condition = binding.condition.as_deref();
    fits(role.scope, binding.scope).then(|| Grant {
        scope: binding.scope,
        role: Arc::clone(&role.held),
        binding: Some(binding.id),
        effect: binding.effect,
        condition: condition.map(|text| conditions.compile(text)),
    })
}

/// What the owner of a project holds without a binding.
pub(super) fn owned_by(project: &Project, owner: Option<&Arc<HeldRole>>) -> Option<Grant> {
    owner.map(|role| Grant {
        scope: Scope::Project(project.id),
        role: Arc::clone(role),
        binding: None,
        effect: Effect::Allow,
        condition: None,
    })
}

/// A role of projects may be bound on one object too.
const fn fits(role: RoleScope, scope: Scope) -> bool {
    match scope {
        Scope::Platform => matches!(role, RoleScope::Platform),
        Scope::Tenant(_) => matches!(role, RoleScope::Tenant),
        Scope::Project(_) | Scope::Resource { .. } => matches!(role, RoleScope::Project),
    }
}
