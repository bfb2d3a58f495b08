//! Everything a decision needs, read as of one moment.

use sqlx::PgConnection;
use sqlx::types::{Json, Uuid};

use super::members::effect;
use super::principals::PrincipalRow;
use super::projects::ProjectRow;
use super::roles::RoleRow;
use super::tenants::TenantRow;
use super::{Db, Result, StoreError};
use crate::domain::{
    Binding, BindingId, KeyRules, PolicyRows, Principal, PrincipalId, Project, ProjectId,
    ResourceId, Role, RoleId, Scope, SessionRules, Tenant, TenantId, TouchedRows,
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

    /// What is there now of some rows of the policy, in one read-only snapshot: no row is
    /// newer than `version`.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Corrupt`.
    pub async fn load_touched(&self, touched: &TouchedRows) -> Result<PolicyRows> {
        let mut tx = self.snapshot().await?;
        let mut rows = PolicyRows {
            version: version(&mut tx).await?,
            ..PolicyRows::default()
        };
        match touched {
            TouchedRows::Tenants(ids) => rows.tenants = tenants_of(&mut tx, ids).await?,
            TouchedRows::Projects(ids) => rows.projects = projects_of(&mut tx, ids).await?,
            TouchedRows::Principals(ids) => rows.principals = principals_of(&mut tx, ids).await?,
            TouchedRows::Roles(ids) => rows.roles = roles_of(&mut tx, ids).await?,
            TouchedRows::Bindings(ids) => rows.bindings = bindings_of(&mut tx, ids).await?,
            TouchedRows::Others => {}
        }
        Ok(rows)
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
    let rows = sqlx::query_as!(
        TenantRow,
        r#"SELECT id, slug, name, session_rules AS "session_rules: Json<SessionRules>",
            key_rules AS "key_rules: Json<KeyRules>" FROM tenants"#
    )
    .try_map(parsed)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn projects(tx: &mut PgConnection) -> Result<Vec<Project>> {
    let rows = sqlx::query_as!(
        ProjectRow,
        r#"SELECT id, tenant_id, slug, name, owner_id,
               session_rules AS "session_rules: Json<SessionRules>" FROM projects"#
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

async fn tenants_of(tx: &mut PgConnection, ids: &[TenantId]) -> Result<Vec<Tenant>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        TenantRow,
        r#"SELECT id, slug, name, session_rules AS "session_rules: Json<SessionRules>",
            key_rules AS "key_rules: Json<KeyRules>" FROM tenants WHERE id = ANY ($1)"#,
        &ids
    )
    .try_map(parsed)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn projects_of(tx: &mut PgConnection, ids: &[ProjectId]) -> Result<Vec<Project>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        ProjectRow,
        r#"SELECT id, tenant_id, slug, name, owner_id,
               session_rules AS "session_rules: Json<SessionRules>" FROM projects WHERE id = ANY ($1)"#,
        &ids
    )
    .try_map(parsed)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn principals_of(tx: &mut PgConnection, ids: &[PrincipalId]) -> Result<Vec<Principal>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        PrincipalRow,
        r#"SELECT id, kind, email, name, tenant_id, disabled_at IS NOT NULL AS "disabled!"
           FROM principals WHERE id = ANY ($1)"#,
        &ids
    )
    .try_map(parsed)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn roles_of(tx: &mut PgConnection, ids: &[RoleId]) -> Result<Vec<Role>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        RoleRow,
        "SELECT id, tenant_id, name, scope, permissions FROM roles WHERE id = ANY ($1)",
        &ids
    )
    .try_map(parsed)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

async fn bindings_of(tx: &mut PgConnection, ids: &[BindingId]) -> Result<Vec<Binding>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        BindingRow,
        r#"SELECT id, principal_id, role_id, tenant_id, project_id, resource_id,
               effect = 'deny' AS "denies!", condition
           FROM bindings WHERE id = ANY ($1)"#,
        &ids
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
