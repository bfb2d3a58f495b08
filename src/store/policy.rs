//! Everything a decision needs, read as of one moment.

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::members::effect;
use super::principals::PrincipalRow;
use super::projects::ProjectRow;
use super::roles::RoleRow;
use super::tenants::TenantRow;
use super::{Db, Result, StoreError};
use crate::domain::{
    Binding, BindingId, PolicyRows, Principal, PrincipalId, Project, ProjectId, ResourceId, Role,
    RoleId, Scope, Tenant, TenantId,
};

impl Db {
    /// Loads the policy in one read-only snapshot: no row is newer than `version`.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Corrupt`.
    pub async fn load_policy(&self) -> Result<PolicyRows> {
        let mut tx = self.snapshot().await?;
        Ok(PolicyRows {
            version: version(&mut tx).await?,
            tenants: tenants(&mut tx).await?,
            projects: projects(&mut tx).await?,
            principals: principals(&mut tx).await?,
            roles: roles(&mut tx).await?,
            bindings: bindings(&mut tx).await?,
        })
    }

    /// The current version of the policy: one cheap query, for the poll.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn policy_version(&self) -> Result<i64> {
        version(&mut *self.read().await?).await
    }
}

async fn version(tx: &mut PgConnection) -> Result<i64> {
    let found = sqlx::query_scalar!("SELECT version FROM policy_version")
        .fetch_one(tx)
        .await?;
    Ok(found)
}

async fn tenants(tx: &mut PgConnection) -> Result<Vec<Tenant>> {
    let rows = sqlx::query_as!(TenantRow, "SELECT id, slug, name FROM tenants")
        .try_map(parsed)
        .fetch_all(tx)
        .await?;
    Ok(rows)
}

async fn projects(tx: &mut PgConnection) -> Result<Vec<Project>> {
    let rows = sqlx::query_as!(
        ProjectRow,
        "SELECT id, tenant_id, slug, name, owner_id FROM projects"
    )
    .try_map(parsed)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn principals(tx: &mut PgConnection) -> Result<Vec<Principal>> {
    let rows = sqlx::query_as!(
        PrincipalRow,
        r#"SELECT id, kind, email, name, tenant_id, disabled_at IS NOT NULL AS "disabled!"
           FROM principals"#
    )
    .try_map(parsed)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn roles(tx: &mut PgConnection) -> Result<Vec<Role>> {
    let rows = sqlx::query_as!(
        RoleRow,
        "SELECT id, tenant_id, name, scope, permissions FROM roles"
    )
    .try_map(parsed)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn bindings(tx: &mut PgConnection) -> Result<Vec<Binding>> {
    let rows = sqlx::query_as!(
        BindingRow,
        r#"SELECT id, principal_id, role_id, tenant_id, project_id, resource_id,
               effect = 'deny' AS "denies!", condition
           FROM bindings"#
    )
    .map(Binding::from)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Converts row by row, so that a large table is held once.
fn parsed<R, T: TryFrom<R, Error = StoreError>>(row: R) -> std::result::Result<T, sqlx::Error> {
    row.try_into()
        .map_err(|error: StoreError| sqlx::Error::Decode(error.into()))
}

struct BindingRow {
    id: Uuid,
    principal_id: Uuid,
    role_id: Uuid,
    tenant_id: Option<Uuid>,
    project_id: Option<Uuid>,
    resource_id: Option<Uuid>,
    denies: bool,
    condition: Option<String>,
}

impl From<BindingRow> for Binding {
    fn from(row: BindingRow) -> Self {
        let scope = match (row.tenant_id, row.project_id, row.resource_id) {
            (_, Some(project), Some(id)) => Scope::Resource {
                project: ProjectId(project),
                id: ResourceId(id),
            },
            (_, Some(project), None) => Scope::Project(ProjectId(project)),
            (Some(tenant), None, _) => Scope::Tenant(TenantId(tenant)),
            (None, None, _) => Scope::Platform,
        };
        Self {
            id: BindingId(row.id),
            principal: PrincipalId(row.principal_id),
            role: RoleId(row.role_id),
            scope,
            effect: effect(row.denies),
            condition: row.condition,
        }
    }
}
