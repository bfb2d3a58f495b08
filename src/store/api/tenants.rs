//! Tenants.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::author::Done;
use super::super::{Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{Slug, TenantId};

/// A tenant, as the API shows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the API's document describes the fields")]
pub struct TenantView {
    pub id: uuid::Uuid,
    pub slug: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

impl ReadTx {
    /// Tenants by short name, one more than the page has if there are more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn tenants(&mut self, page: &PageRequest) -> Result<Vec<TenantView>> {
        let rows = sqlx::query_as!(
            TenantView,
            "SELECT id, slug, name, created_at FROM tenants
             WHERE $1::text IS NULL OR slug > $1 ORDER BY slug LIMIT $2",
            page.after,
            page.probe(),
        )
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows)
    }

    /// One tenant.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn tenant(&mut self, id: TenantId) -> Result<TenantView> {
        one(&mut self.0, id).await
    }
}

impl ApiTx {
    /// Makes a tenant (`tenant.created`).
    ///
    /// # Errors
    ///
    /// `Conflict` if the short name is taken.
    pub async fn create_tenant(&mut self, slug: &Slug, name: &str) -> Result<(TenantView, Done)> {
        let (id, now) = (TenantId(self.id()), self.now());
        sqlx::query!(
            "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $3, $4)",
            id.0,
            slug.as_str(),
            name,
            now,
        )
        .execute(self.connection())
        .await?;
        let done = Done::new("tenant.created", "tenant", &id).tenant(id, slug);
        Ok((one(self.connection(), id).await?, done.detail("name", name)))
    }
}

async fn one(connection: &mut PgConnection, id: TenantId) -> Result<TenantView> {
    sqlx::query_as!(
        TenantView,
        "SELECT id, slug, name, created_at FROM tenants WHERE id = $1",
        id.0,
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| StoreError::not_found("tenant", &id))
}
