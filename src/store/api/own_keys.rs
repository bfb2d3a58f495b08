//! API keys of people, by themselves. They are no tenant's: who holds one may act in several.

use chrono::{DateTime, Utc};
use sqlx::types::Uuid;

use super::super::author::Done;
use super::super::{Db, Result, StoreError};
use super::keys::NewApiKey;
use super::tx::ApiTx;
use crate::domain::{
    KeyId, KeyToken, Pepper, Principal, PrincipalId, Project, ProjectId, Slug, Tenant, TenantId,
};

/// Most keys in a list.
const MOST: i64 = 500;

/// A key, as its holder sees it.
#[derive(Clone, Debug)]
pub struct OwnKey {
    /// Public id.
    pub id: String,
    /// What it is for.
    pub description: String,
    /// Paths of the projects that it is limited to; `None`: to none.
    pub projects: Option<Vec<String>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used; some seconds late.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Whether it awaits approval in a tenant that it is for.
    pub is_pending: bool,
}

impl Db {
    /// The keys of a person that are in force, the newest first.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn keys_of(&self, holder: PrincipalId, now: DateTime<Utc>) -> Result<Vec<OwnKey>> {
        let keys = sqlx::query_as!(
            OwnKey,
            r#"SELECT k.id, k.description, k.created_at, k.expires_at,
                   u.last_used_at AS "last_used_at?", key_is_pending(k) AS "is_pending!",
                   CASE WHEN k.projects IS NOT NULL THEN
                       ARRAY(SELECT t.slug || '/' || p.slug
                             FROM projects p JOIN tenants t ON t.id = p.tenant_id
                             WHERE p.id = ANY (k.projects) ORDER BY 1)
                   END AS projects
               FROM api_keys k LEFT JOIN api_key_usage u ON u.key_id = k.id
               WHERE k.principal_id = $1 AND k.revoked_at IS NULL
                   AND (k.expires_at IS NULL OR k.expires_at > $2)
               ORDER BY k.created_at DESC, k.id LIMIT $3"#,
            holder.0,
            now,
            MOST,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        Ok(keys)
    }
}

impl ApiTx {
    /// Makes a key for one project for whoever asks (`api_key.created`); the whole of it is
    /// known here only.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn create_own_key(
        &mut self,
        (tenant, project): (&Tenant, &Project),
        new: &NewApiKey,
        pepper: &Pepper,
    ) -> Result<(KeyToken, Done)> {
        let (token, key) = self.insert_key(new, pepper).await?;
        let done = done("api_key.created", token.id(), &new.holder)
            .tenant(tenant.id, &tenant.slug)
            .project(project.id, &project.slug)
            .detail("description", new.description.as_str())
            .detail("projects", vec![project.slug.to_string()])
            .detail("expires_at", key.expires_at.map(|at| at.to_rfc3339()));
        Ok((token, done))
    }

    /// Revokes a key of whoever asks (`api_key.revoked`).
    ///
    /// # Errors
    ///
    /// `NotFound`, also for one that is revoked already and for somebody else's.
    pub async fn revoke_own_key(&mut self, of: &Principal, id: &KeyId) -> Result<Done> {
        let now = self.now();
        let key = sqlx::query!(
            "UPDATE api_keys SET revoked_at = $3
             WHERE id = $1 AND principal_id = $2 AND revoked_at IS NULL
             RETURNING description, projects",
            id.as_str(),
            of.id.0,
            now,
        )
        .fetch_optional(self.connection())
        .await?
        .ok_or_else(|| StoreError::not_found("API key", id))?;
        let done = done("api_key.revoked", id, of).detail("description", key.description);
        match key.projects.as_deref() {
            Some([project]) => self.within(done, *project).await,
            _ => Ok(done),
        }
    }

    /// The event names the project of a key that is limited to one.
    async fn within(&mut self, done: Done, project: Uuid) -> Result<Done> {
        let place = sqlx::query!(
            "SELECT t.id, t.slug, p.slug AS project FROM projects p
             JOIN tenants t ON t.id = p.tenant_id WHERE p.id = $1",
            project,
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(place) = place else {
            return Ok(done);
        };
        let slug = |text: String| text.parse::<Slug>().map_err(StoreError::corrupt);
        Ok(done
            .tenant(TenantId(place.id), &slug(place.slug)?)
            .project(ProjectId(project), &slug(place.project)?))
    }
}

fn done(event: &'static str, id: &KeyId, holder: &Principal) -> Done {
    Done::new(event, "api_key", id)
        .detail("principal_id", holder.id.to_string())
        .detail("principal", holder.label())
}
