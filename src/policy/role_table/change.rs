//! The next table from this one and the rows that changed.

use std::sync::Arc;

use super::super::held_role::{Conditions, Grant};
use super::build::{Unknown, bound, owned_by};
use super::{Holder, KnownRole, RoleTable};
use crate::domain::{
    Binding, BindingId, Catalogue, PolicyRows, Principal, PrincipalId, Project, ProjectId, Role,
    RoleId, Tenant, TenantId, TouchedRows,
};

impl RoleTable {
    /// The table after a change: `rows` holds what is there now of the rows `touched`, read
    /// after the change was committed.
    ///
    /// Rows may be newer than the change: then later changes bring the same again. The
    /// version is that of the change. `None`: this table cannot tell what follows from it,
    /// build one anew.
    #[must_use]
    pub fn changed(
        &self,
        version: i64,
        touched: &TouchedRows,
        rows: PolicyRows,
        catalogue: &Catalogue,
    ) -> Option<(Self, Vec<(String, String)>)> {
        if version > self.version + 1 {
            return None;
        }
        let mut next = self.clone();
        next.version = version.max(self.version);
        let mut unknown = Unknown::new();
        match touched {
            TouchedRows::Tenants(ids) => next.change_tenants(ids, rows.tenants),
            TouchedRows::Projects(ids) => next.change_projects(ids, rows.projects)?,
            TouchedRows::Principals(ids) => next.change_principals(ids, &rows.principals),
            TouchedRows::Roles(ids) => {
                next.change_roles(ids, &rows.roles, catalogue, &mut unknown)?;
            }
            TouchedRows::Bindings(ids) => next.change_bindings(ids, &rows.bindings)?,
            TouchedRows::Others => {}
        }
        Some((next, unknown))
    }

    fn change_tenants(&mut self, ids: &[TenantId], rows: Vec<Tenant>) {
        for id in ids {
            if let Some(old) = self.tenants.remove(id) {
                self.tenants_by_slug.remove(&old.slug);
            }
        }
        for tenant in rows {
            self.tenants_by_slug.insert(tenant.slug.clone(), tenant.id);
            self.tenants.insert(tenant.id, Arc::new(tenant));
        }
    }

    fn change_projects(&mut self, ids: &[ProjectId], rows: Vec<Project>) -> Option<()> {
        for id in ids {
            let Some(old) = self.projects.remove(id) else {
                continue;
            };
            self.projects_by_slug
                .remove(&(old.tenant, old.slug.clone()));
            let owned = owned_by(&old, self.owner.as_ref()).map(|grant| grant.scope);
            self.change_holder(old.owner, |grants| {
                grants.retain(|it| it.binding.is_some() || Some(it.scope) != owned);
            })?;
        }
        for project in rows {
            self.tenants.get(&project.tenant)?;
            if let Some(grant) = owned_by(&project, self.owner.as_ref()) {
                self.change_holder(project.owner, |grants| grants.push(grant))?;
            }
            self.add_project(project);
        }
        Some(())
    }

    fn change_principals(&mut self, ids: &[PrincipalId], rows: &[Principal]) {
        for principal in rows {
            let known = self.holders.get(&principal.id);
            let grants = known.map_or_else(Vec::new, |holder| holder.grants.to_vec());
            let holder = Holder::new(Arc::new(principal.clone()), grants);
            self.holders.insert(principal.id, Arc::new(holder));
        }
        let gone = ids
            .iter()
            .filter(|id| !rows.iter().any(|row| row.id == **id));
        for id in gone {
            self.holders.remove(id);
        }
    }

    /// A new role changes nobody's rights, a changed one those of all who hold it. What
    /// follows from another role of owners only a new table tells.
    fn change_roles(
        &mut self,
        ids: &[RoleId],
        rows: &[Role],
        catalogue: &Catalogue,
        unknown: &mut Unknown,
    ) -> Option<()> {
        let former: Vec<_> = ids.iter().filter_map(|id| self.former_role(*id)).collect();
        if former.iter().any(|(id, _)| self.is_owner(*id)) {
            return None;
        }
        for id in ids {
            self.roles.remove(id);
        }
        let mut conditions = Conditions::default();
        for role in rows {
            self.add_role(role, catalogue, &mut conditions, unknown);
            if self.is_owner(role.id) {
                return None;
            }
        }
        for (id, old) in former {
            if let Some(new) = self.roles.get(&id).cloned() {
                self.replace_role(&old, &new)?;
            }
        }
        Some(())
    }

    fn former_role(&self, id: RoleId) -> Option<(RoleId, KnownRole)> {
        Some((id, self.roles.get(&id)?.clone()))
    }

    fn replace_role(&mut self, old: &KnownRole, new: &KnownRole) -> Option<()> {
        if old.scope != new.scope {
            return None;
        }
        let is_old = |grant: &Grant| Arc::ptr_eq(&grant.role, &old.held);
        let holders = self.holders.values();
        let holders = holders.filter(|holder| holder.grants.iter().any(is_old));
        let ids: Vec<_> = holders.map(|holder| holder.principal.id).collect();
        for id in ids {
            self.change_holder(id, |grants| {
                let held = grants.iter_mut().filter(|grant| is_old(grant));
                held.for_each(|grant| grant.role = Arc::clone(&new.held));
            })?;
        }
        Some(())
    }

    fn change_bindings(&mut self, ids: &[BindingId], rows: &[Binding]) -> Option<()> {
        for id in ids {
            if let Some(holder) = self.bound.remove(id) {
                self.change_holder(holder, |grants| {
                    grants.retain(|grant| grant.binding != Some(*id));
                })?;
            }
        }
        let mut conditions = Conditions::default();
        for binding in rows {
            let role = self.roles.get(&binding.role)?;
            if let Some(grant) = bound(binding, role, &mut conditions) {
                self.change_holder(binding.principal, |grants| grants.push(grant))?;
                self.bound.insert(binding.id, binding.principal);
            }
        }
        Some(())
    }

    fn change_holder(
        &mut self,
        id: PrincipalId,
        change: impl FnOnce(&mut Vec<Grant>),
    ) -> Option<()> {
        let holder = self.holders.get(&id)?;
        let mut grants = holder.grants.to_vec();
        change(&mut grants);
        let holder = Holder::new(Arc::clone(&holder.principal), grants);
        self.holders.insert(id, Arc::new(holder));
        Some(())
    }
}

#[cfg(test)]
mod tests;
