//! Roles.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::author::Done;
use super::super::roles::check_patterns;
use super::super::{Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{Catalogue, Role, RoleId, RoleScope, Tenant, TenantId};

/// A role, as the API shows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the API's document describes the fields")]
pub struct RoleView {
    pub id: uuid::Uuid,
    pub name: String,
    pub scope: String,
    pub permissions: Vec<String>,
    pub built_in: bool,
    pub created_at: DateTime<Utc>,
}

impl RoleView {
    /// The role itself.
    ///
    /// # Errors
    ///
    /// `Corrupt`.
    pub fn role(&self, of: TenantId) -> Result<Role> {
        Ok(Role {
            id: RoleId(self.id),
            tenant: (!self.built_in).then_some(of),
            name: self.name.clone(),
            scope: match self.scope.as_str() {
                "platform" => RoleScope::Platform,
                "tenant" => RoleScope::Tenant,
                "project" => RoleScope::Project,
                other => return Err(StoreError::Corrupt(format!("role scope `{other}`"))),
            },
            permissions: self.permissions.clone(),
        })
    }
}

/// A custom role to be made.
#[derive(Clone, Debug)]
pub struct NewCustomRole {
    /// Its name.
    pub name: String,
    /// `tenant` or `project`.
    pub scope: RoleScope,
    /// Permission patterns.
    pub permissions: Vec<String>,
}

impl ReadTx {
    /// The roles that can be bound in a tenant, by name, one more than the page has if there
    /// are more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn roles(&mut self, of: TenantId, page: &PageRequest) -> Result<Vec<RoleView>> {
        let rows = sqlx::query_as!(
            RoleView,
            r#"SELECT id, name, scope, permissions, tenant_id IS NULL AS "built_in!", created_at
               FROM roles
               WHERE (tenant_id IS NULL AND scope <> 'platform' OR tenant_id = $1)
                   AND ($2::text IS NULL OR name > $2)
               ORDER BY name LIMIT $3"#,
            of.0,
            page.after,
            page.probe(),
        )
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows)
    }
}

impl ReadTx {
    /// The role of this name that can be bound in a tenant.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn role(&mut self, of: TenantId, name: &str) -> Result<RoleView> {
        one(&mut self.0, of, name).await
    }
}

impl ApiTx {
    /// The role of this name that can be bound in a tenant, as it will stay until the change
    /// is made.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn role_in(&mut self, of: TenantId, name: &str) -> Result<RoleView> {
        one(self.connection(), of, name).await
    }

    /// Makes a custom role (`role.created`).
    ///
    /// # Errors
    ///
    /// `Conflict` if there is one of this name, `Refused` for unknown permissions.
    pub async fn create_custom_role(
        &mut self,
        tenant: &Tenant,
        new: &NewCustomRole,
        catalogue: &Catalogue,
    ) -> Result<(RoleView, Done)> {
        check_patterns(&new.permissions, catalogue)?;
        if one(self.connection(), tenant.id, &new.name).await.is_ok() {
            let why = format!("there is a role `{}` already", new.name);
            return Err(StoreError::Conflict(why));
        }
        let (id, now) = (self.id(), self.now());
        sqlx::query!(
            "INSERT INTO roles (id, tenant_id, name, scope, permissions, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            id,
            tenant.id.0,
            new.name,
            new.scope.as_str(),
            &new.permissions,
            now,
        )
        .execute(self.connection())
        .await?;
        let role = self.role_in(tenant.id, &new.name).await?;
        let done = done("role.created", tenant, &role);
        Ok((role, done.detail("permissions", new.permissions.clone())))
    }

    /// Changes what a custom role permits (`role.updated`).
    ///
    /// # Errors
    ///
    /// `Refused` for unknown permissions.
    pub async fn update_custom_role(
        &mut self,
        tenant: &Tenant,
        role: &RoleView,
        permissions: &[String],
        catalogue: &Catalogue,
    ) -> Result<(RoleView, Done)> {
        check_patterns(permissions, catalogue)?;
        sqlx::query!(
            "UPDATE roles SET permissions = $3 WHERE id = $1 AND tenant_id = $2",
            role.id,
            tenant.id.0,
            permissions,
        )
        .execute(self.connection())
        .await?;
        let done = done("role.updated", tenant, role)
            .detail("from", role.permissions.clone())
            .detail("to", permissions.to_vec());
        Ok((self.role_in(tenant.id, &role.name).await?, done))
    }

    /// Deletes a custom role (`role.deleted`).
    ///
    /// # Errors
    ///
    /// `Refused` while it is bound.
    pub async fn delete_custom_role(&mut self, tenant: &Tenant, role: &RoleView) -> Result<Done> {
        sqlx::query!(
            "DELETE FROM roles WHERE id = $1 AND tenant_id = $2",
            role.id,
            tenant.id.0
        )
        .execute(self.connection())
        .await?;
        Ok(done("role.deleted", tenant, role))
    }
}

fn done(event: &'static str, tenant: &Tenant, role: &RoleView) -> Done {
    Done::new(event, "role", &role.id)
        .tenant(tenant.id, &tenant.slug)
        .detail("name", role.name.as_str())
        .detail("scope", role.scope.as_str())
}

async fn one(connection: &mut PgConnection, of: TenantId, name: &str) -> Result<RoleView> {
    sqlx::query_as!(
        RoleView,
        r#"SELECT id, name, scope, permissions, tenant_id IS NULL AS "built_in!", created_at
           FROM roles
           WHERE (tenant_id IS NULL AND scope <> 'platform' OR tenant_id = $1) AND name = $2"#,
        of.0,
        name,
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| StoreError::not_found("role", name))
}
