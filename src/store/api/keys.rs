//! API keys of a tenant's service accounts. A user may act in other tenants: no tenant makes
//! keys for one.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::author::Done;
use super::super::{Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{
    KeyId, KeyToken, Pepper, Principal, PrincipalId, Project, ProjectId, Tenant, TenantId,
};

/// A key, as the API shows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the API's document describes the fields")]
pub struct KeyView {
    pub id: String,
    pub principal_id: uuid::Uuid,
    pub principal: String,
    pub description: String,
    pub permissions: Option<Vec<String>>,
    pub projects: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Who will hold it.
    pub holder: Principal,
    /// Projects it is limited to; empty is no limit of its own.
    pub projects: Vec<Project>,
    /// Permission patterns it is limited to; empty is no limit of its own.
    pub permissions: Vec<String>,
    /// What it is for.
    pub description: String,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

impl ReadTx {
    /// Keys of a tenant by id, one more than the page has if there are more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn keys(&mut self, of: TenantId, page: &PageRequest) -> Result<Vec<KeyView>> {
        keys(&mut self.0, of, None, page).await
    }
}

impl ApiTx {
    /// One key, as it will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn key(&mut self, of: TenantId, id: &KeyId) -> Result<KeyView> {
        let page = PageRequest {
            after: None,
            limit: 1,
        };
        let found = keys(self.connection(), of, Some(id), &page).await?;
        let found = found.into_iter().next();
        found.ok_or_else(|| StoreError::not_found("API key", id))
    }

    /// Makes a key (`api_key.created`); the whole of it is known here only.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn create_api_key(
        &mut self,
        tenant: &Tenant,
        new: &NewApiKey,
        pepper: &Pepper,
    ) -> Result<(KeyToken, KeyView, Done)> {
        let token = self.insert_key(new, pepper).await?;
        let key = self.key(tenant.id, token.id()).await?;
        let done = done("api_key.created", tenant, &key)
            .detail("permissions", key.permissions.clone())
            .detail("projects", key.projects.clone())
            .detail("expires_at", key.expires_at.map(|at| at.to_rfc3339()));
        let done = match new.projects.as_slice() {
            [project] => done.project(project.id, &project.slug),
            _ => done,
        };
        Ok((token, key, done))
    }

    /// The same for whoever holds it.
    pub(super) async fn insert_key(
        &mut self,
        new: &NewApiKey,
        pepper: &Pepper,
    ) -> Result<KeyToken> {
        let token = KeyToken::generate(&mut self.rng);
        let (now, label) = (self.now(), self.label());
        let hash = pepper.hash(token.secret());
        let projects: Vec<_> = new.projects.iter().map(|project| project.id.0).collect();
        sqlx::query!(
            "INSERT INTO api_keys (id, principal_id, secret_hash, permissions, projects, description,
                 expires_at, created_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            token.id().as_str(),
            new.holder.id.0,
            &hash.0[..],
            (!new.permissions.is_empty()).then_some(&*new.permissions),
            (!projects.is_empty()).then_some(&*projects),
            new.description,
            new.expires_at,
            now,
            label,
        )
        .execute(self.connection())
        .await?;
        Ok(token)
    }

    /// Revokes a key for good (`api_key.revoked`).
    ///
    /// # Errors
    ///
    /// `Conflict` if it is revoked already.
    pub async fn revoke_api_key(&mut self, tenant: &Tenant, key: &KeyView) -> Result<Done> {
        if key.revoked_at.is_some() {
            return Err(StoreError::Conflict(format!(
                "`{}` is revoked already",
                key.id
            )));
        }
        let now = self.now();
        sqlx::query!(
            "UPDATE api_keys SET revoked_at = $2 WHERE id = $1",
            key.id,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(done("api_key.revoked", tenant, key))
    }

    /// A project of a tenant by its short name.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn project_named(
        &mut self,
        of: &Tenant,
        slug: &crate::domain::Slug,
    ) -> Result<Project> {
        let row = sqlx::query!(
            "SELECT id, name, owner_id FROM projects WHERE tenant_id = $1 AND slug = $2",
            of.id.0,
            slug.as_str(),
        )
        .fetch_optional(self.connection())
        .await?
        .ok_or_else(|| StoreError::not_found("project", slug))?;
        Ok(Project {
            id: ProjectId(row.id),
            tenant: of.id,
            slug: slug.clone(),
            name: row.name,
            owner: PrincipalId(row.owner_id),
            session_rules: None,
        })
    }
}

fn done(event: &'static str, tenant: &Tenant, key: &KeyView) -> Done {
    Done::new(event, "api_key", &key.id)
        .tenant(tenant.id, &tenant.slug)
        .detail("principal_id", key.principal_id.to_string())
        .detail("principal", key.principal.as_str())
        .detail("description", key.description.as_str())
}

async fn keys(
    connection: &mut PgConnection,
    of: TenantId,
    only: Option<&KeyId>,
    page: &PageRequest,
) -> Result<Vec<KeyView>> {
    let rows = sqlx::query_as!(
        KeyView,
        r#"SELECT k.id, k.principal_id, coalesce(w.email, h.slug || '/' || w.name) AS "principal!",
               k.description, k.permissions, k.created_at, k.expires_at, k.revoked_at,
               u.last_used_at AS "last_used_at?",
               -- One whose projects are gone opens nothing; it is not unlimited.
               CASE WHEN k.projects IS NOT NULL THEN
                   ARRAY(SELECT p.slug FROM projects p WHERE p.id = ANY (k.projects) ORDER BY p.slug)
               END AS projects
           FROM api_keys k
           JOIN principals w ON w.id = k.principal_id
           LEFT JOIN tenants h ON h.id = w.tenant_id
           LEFT JOIN api_key_usage u ON u.key_id = k.id
           WHERE k.tenant_id = $1
               AND ($2::text IS NULL OR k.id = $2) AND ($3::text IS NULL OR k.id COLLATE "C" > $3)
           ORDER BY k.id COLLATE "C" LIMIT $4"#,
        of.0,
        only.map(KeyId::as_str),
        page.after,
        page.probe(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
