//! Everything a decision needs, read as of one moment.

use sqlx::PgTransaction;
use sqlx::types::Uuid;

use super::principals::PrincipalRow;
use super::projects::ProjectRow;
use super::roles::RoleRow;
use super::tenants::TenantRow;
use super::{Db, Result, StoreError};
use crate::domain::{
    Binding, BindingId, Effect, PolicyRows, Principal, PrincipalId, Project, ProjectId, Role,
    RoleId, Scope, Tenant, TenantId,
};

impl Db {
    /// Loads the policy in one read-only snapshot: no row is newer than `version`.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Corrupt`.
    pub async fn load_policy(&self) -> Result<PolicyRows> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut tx = self.pool.begin_with(begin).await?;
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
        let found = sqlx::query_scalar!("SELECT version FROM policy_version")
            .fetch_one(&self.pool)
            .await?;
        Ok(found)
    }
}

async fn version(tx: &mut PgTransaction<'_>) -> Result<i64> {
    let found = sqlx::query_scalar!("SELECT version FROM policy_version")
        .fetch_one(&mut **tx)
        .await?;
    Ok(found)
}

async fn tenants(tx: &mut PgTransaction<'_>) -> Result<Vec<Tenant>> {
    let rows = sqlx::query_as!(TenantRow, "SELECT id, slug, name FROM tenants")
        .try_map(parsed)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows)
}

async fn projects(tx: &mut PgTransaction<'_>) -> Result<Vec<Project>> {
    let rows = sqlx::query_as!(
        ProjectRow,
        "SELECT id, tenant_id, slug, name, owner_id FROM projects"
    )
    .try_map(parsed)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

async fn principals(tx: &mut PgTransaction<'_>) -> Result<Vec<Principal>> {
    let rows = sqlx::query_as!(
        PrincipalRow,
        r#"SELECT id, kind, email, name, tenant_id, disabled_at IS NOT NULL AS "disabled!"
           FROM principals"#
    )
    .try_map(parsed)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

async fn roles(tx: &mut PgTransaction<'_>) -> Result<Vec<Role>> {
    let rows = sqlx::query_as!(
        RoleRow,
        "SELECT id, tenant_id, name, scope, permissions FROM roles"
    )
    .try_map(parsed)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

async fn bindings(tx: &mut PgTransaction<'_>) -> Result<Vec<Binding>> {
    let rows = sqlx::query_as!(
        BindingRow,
        "SELECT id, principal_id, role_id, tenant_id, project_id FROM bindings"
    )
    .map(Binding::from)
    .fetch_all(&mut **tx)
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
}

impl From<BindingRow> for Binding {
    fn from(row: BindingRow) -> Self {
        let scope = match (row.tenant_id, row.project_id) {
            (_, Some(project)) => Scope::Project(ProjectId(project)),
            (Some(tenant), None) => Scope::Tenant(TenantId(tenant)),
            (None, None) => Scope::Platform,
        };
        Self {
            id: BindingId(row.id),
            principal: PrincipalId(row.principal_id),
            role: RoleId(row.role_id),
            scope,
            effect: Effect::Allow,
            condition: None,
        }
    }
}
