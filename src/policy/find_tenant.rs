//! Which tenant a request is about, where its route reads the tenant from it.

use std::sync::Arc;

use super::{DenialReason, RoleTable, Subject};
use crate::domain::{Scope, Slug, Tenant};

/// Finds the tenant, and makes sure that the principal has a role there, or in one of its
/// projects: whoever has none is not told whether it exists.
pub(super) fn find_tenant(
    table: &RoleTable,
    subject: &Subject,
    name: &str,
) -> Result<Arc<Tenant>, DenialReason> {
    let slug: Slug = name.parse().map_err(|_| DenialReason::TenantClosed)?;
    let tenant = table.tenant_by_slug(&slug);
    let tenant = tenant.ok_or(DenialReason::TenantClosed)?;
    let who = subject.principal.id;
    let covering = table.admits(who, Scope::Tenant(tenant.id));
    let mut own = table.own_projects(who).filter_map(|id| table.project(id));
    if covering || own.any(|project| project.tenant == tenant.id) {
        Ok(Arc::clone(tenant))
    } else {
        Err(DenialReason::TenantClosed)
    }
}
