//! Tenants.

use std::sync::Arc;

use sqlx::types::{Json, Uuid};

use super::author::Done;
use super::{Author, Db, Result, StoreError};
use crate::domain::{KeyRules, SessionRules, Slug, Tenant, TenantId};

pub(super) struct TenantRow {
    pub(super) id: Uuid,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) session_rules: Option<Json<SessionRules>>,
    pub(super) key_rules: Option<Json<KeyRules>>,
}

impl TryFrom<TenantRow> for Tenant {
    type Error = StoreError;

    fn try_from(row: TenantRow) -> Result<Self> {
        Ok(Self {
            id: TenantId(row.id),
            slug: row.slug.parse().map_err(StoreError::corrupt)?,
            name: row.name,
            session_rules: rules(row.session_rules),
            key_rules: rules(row.key_rules),
        })
    }
}

pub(super) fn rules<T>(stored: Option<Json<T>>) -> Option<Arc<T>> {
    stored.map(|Json(rules)| Arc::new(rules))
}

impl Db {
    /// Creates a tenant (`tenant.created`).
    ///
    /// # Errors
    ///
    /// `Conflict` if the slug is taken.
    pub async fn create_tenant(
        &self,
        author: &mut Author,
        slug: &Slug,
        name: &str,
    ) -> Result<Tenant> {
        let mut change = self.change(author).await?;
        let id = TenantId(change.author.id());
        sqlx::query!(
            "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $3, $4)",
            id.0,
            slug.as_str(),
            name,
            change.author.now(),
        )
        .execute(&mut *change.tx)
        .await?;
        let done = Done::new("tenant.created", "tenant", &id).tenant(id, slug);
        change.commit(done.detail("name", name)).await?;
        Ok(Tenant {
            id,
            slug: slug.clone(),
            name: name.to_owned(),
            session_rules: None,
            key_rules: None,
        })
    }

    /// All tenants, by slug.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        let rows = sqlx::query_as!(
            TenantRow,
            r#"SELECT id, slug, name, session_rules AS "session_rules: Json<SessionRules>",
               key_rules AS "key_rules: Json<KeyRules>" FROM tenants ORDER BY slug"#
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        rows.into_iter().map(Tenant::try_from).collect()
    }

    /// One tenant.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn tenant(&self, slug: &Slug) -> Result<Tenant> {
        tenant(&mut *self.read().await?, slug).await
    }
}

pub(super) async fn tenant(connection: &mut sqlx::PgConnection, slug: &Slug) -> Result<Tenant> {
    sqlx::query_as!(
        TenantRow,
        r#"SELECT id, slug, name, session_rules AS "session_rules: Json<SessionRules>",
               key_rules AS "key_rules: Json<KeyRules>" FROM tenants WHERE slug = $1"#,
        slug.as_str()
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| StoreError::not_found("tenant", slug))?
    .try_into()
}

pub(super) async fn tenant_by_id(
    connection: &mut sqlx::PgConnection,
    id: TenantId,
) -> Result<Tenant> {
    sqlx::query_as!(
        TenantRow,
        r#"SELECT id, slug, name, session_rules AS "session_rules: Json<SessionRules>",
               key_rules AS "key_rules: Json<KeyRules>" FROM tenants WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| StoreError::not_found("tenant", &id))?
    .try_into()
}
