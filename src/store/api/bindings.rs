//! Bindings: who holds which role where in a tenant, allowed or denied, under which condition.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::author::Done;
use super::super::{Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{BindingId, Principal, Project, ResourceId, Role, Tenant, TenantId};

/// A binding, as the API shows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the API's document describes the fields")]
pub struct BindingView {
    pub id: uuid::Uuid,
    pub principal_id: uuid::Uuid,
    pub principal: String,
    pub role: String,
    pub scope: String,
    pub project: Option<String>,
    pub resource: Option<uuid::Uuid>,
    pub effect: String,
    pub condition: Option<String>,
    pub provider: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// A binding to be made.
#[derive(Clone, Debug)]
pub struct NewBinding {
    /// Who.
    pub principal: Principal,
    /// Which role.
    pub role: Role,
    /// In which project; `None`: in the tenant.
    pub project: Option<Project>,
    /// On which object of the project; `None`: on all.
    pub resource: Option<ResourceId>,
    /// Whether it takes away rather than gives.
    pub deny: bool,
    /// CEL.
    pub condition: Option<String>,
}

impl NewBinding {
    fn scope(&self) -> &'static str {
        match (&self.project, self.resource) {
            (None, _) => "tenant",
            (Some(_), None) => "project",
            (Some(_), Some(_)) => "resource",
        }
    }
}

impl ReadTx {
    /// Bindings of a tenant and all in it, by id, one more than the page has if there are
    /// more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn bindings(&mut self, of: TenantId, page: &PageRequest) -> Result<Vec<BindingView>> {
        bindings(&mut self.0, of, None, page).await
    }
}

impl ApiTx {
    /// One binding, as it will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn binding(&mut self, of: TenantId, id: BindingId) -> Result<BindingView> {
        let page = PageRequest {
            after: None,
            limit: 1,
        };
        let found = bindings(self.connection(), of, Some(id), &page).await?;
        let found = found.into_iter().next();
        found.ok_or_else(|| StoreError::not_found("binding", &id))
    }

    /// Makes a binding (`binding.created`).
    ///
    /// # Errors
    ///
    /// `Conflict` if there is such a one, `Refused` where role, principal, place or object do
    /// not fit.
    pub async fn create_binding(
        &mut self,
        tenant: &Tenant,
        new: &NewBinding,
    ) -> Result<(BindingView, Done)> {
        let (id, now) = (BindingId(self.id()), self.now());
        sqlx::query!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id,
                 resource_id, effect, condition, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            id.0,
            new.principal.id.0,
            new.role.id.0,
            new.scope(),
            tenant.id.0,
            new.project.as_ref().map(|project| project.id.0),
            new.resource.map(|ResourceId(id)| id),
            if new.deny { "deny" } else { "allow" },
            new.condition,
            now,
        )
        .execute(self.connection())
        .await?;
        let binding = self.binding(tenant.id, id).await?;
        let done = done("binding.created", tenant, &binding);
        let done = match &new.project {
            Some(project) => done.project(project.id, &project.slug),
            None => done,
        };
        Ok((binding, done))
    }

    /// Deletes a binding (`binding.deleted`).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn delete_binding(&mut self, tenant: &Tenant, binding: &BindingView) -> Result<Done> {
        sqlx::query!(
            "DELETE FROM bindings WHERE id = $1 AND tenant_id = $2",
            binding.id,
            tenant.id.0
        )
        .execute(self.connection())
        .await?;
        Ok(done("binding.deleted", tenant, binding))
    }
}

fn done(event: &'static str, tenant: &Tenant, binding: &BindingView) -> Done {
    Done::new(event, "binding", &binding.id)
        .tenant(tenant.id, &tenant.slug)
        .detail("principal", binding.principal.as_str())
        .detail("principal_id", binding.principal_id.to_string())
        .detail("role", binding.role.as_str())
        .detail("scope", binding.scope.as_str())
        .detail("project", binding.project.clone())
        .detail("resource", binding.resource.map(|id| id.to_string()))
        .detail("effect", binding.effect.as_str())
        .detail("condition", binding.condition.clone())
        .detail("provider", binding.provider.clone())
}

async fn bindings(
    connection: &mut PgConnection,
    of: TenantId,
    only: Option<BindingId>,
    page: &PageRequest,
) -> Result<Vec<BindingView>> {
    let rows = sqlx::query_as!(
        BindingView,
        r#"SELECT b.id, b.principal_id, coalesce(w.email, h.slug || '/' || w.name) AS "principal!",
               r.name AS role, b.scope, p.slug AS "project?", b.resource_id AS resource, b.effect,
               b.condition, b.provider, b.created_at
           FROM bindings b
           JOIN roles r ON r.id = b.role_id
           JOIN principals w ON w.id = b.principal_id
           LEFT JOIN tenants h ON h.id = w.tenant_id
           LEFT JOIN projects p ON p.id = b.project_id
           WHERE b.tenant_id = $1 AND ($2::uuid IS NULL OR b.id = $2)
               AND ($3::text IS NULL OR b.id::text > $3)
           ORDER BY b.id::text LIMIT $4"#,
        of.0,
        only.map(|BindingId(id)| id),
        page.after,
        page.probe(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
