//! Sign-in providers that are not in the configuration.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::super::author::Done;
use super::super::{Db, Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{Slug, Tenant};

/// A provider as it is on record.
#[derive(Clone, Debug)]
pub struct StoredProvider {
    /// Its name.
    pub name: String,
    /// Short name of its tenant.
    pub tenant: String,
    /// Its settings, without secrets.
    pub settings: Value,
    /// Its secrets, sealed.
    pub sealed: Vec<u8>,
}

/// A provider, as the API shows it.
#[derive(Clone, Debug)]
pub struct ProviderView {
    /// Itself.
    pub stored: StoredProvider,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

struct Row {
    name: String,
    tenant: String,
    settings: Value,
    sealed: Vec<u8>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for ProviderView {
    fn from(row: Row) -> Self {
        Self {
            stored: StoredProvider {
                name: row.name,
                tenant: row.tenant,
                settings: row.settings,
                sealed: row.sealed,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Db {
    /// All of them, by name.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn stored_providers(&self) -> Result<Vec<StoredProvider>> {
        let all = providers(&mut *self.read().await?, None, (None, i64::MAX)).await?;
        Ok(all.into_iter().map(|view| view.stored).collect())
    }
}

impl ReadTx {
    /// Providers by name, one more than the page has if there are more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn providers(&mut self, page: &PageRequest) -> Result<Vec<ProviderView>> {
        let after = page.after.as_deref();
        providers(&mut self.0, None, (after, page.probe())).await
    }

    /// One provider.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn provider(&mut self, name: &str) -> Result<ProviderView> {
        one(&mut self.0, name).await
    }
}

impl ApiTx {
    /// One provider, as it will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn provider(&mut self, name: &str) -> Result<ProviderView> {
        one(self.connection(), name).await
    }

    /// Puts a provider on record (`provider.created`).
    ///
    /// # Errors
    ///
    /// `Conflict` if there is one of this name.
    pub async fn create_provider(
        &mut self,
        tenant: &Tenant,
        new: &StoredProvider,
    ) -> Result<(ProviderView, Done)> {
        if one(self.connection(), &new.name).await.is_ok() {
            let why = format!("there is a provider `{}` already", new.name);
            return Err(StoreError::Conflict(why));
        }
        let (id, now) = (self.id(), self.now());
        sqlx::query!(
            "INSERT INTO providers (id, name, tenant_id, settings, sealed, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
            id,
            new.name,
            tenant.id.0,
            new.settings,
            new.sealed,
            now,
        )
        .execute(self.connection())
        .await?;
        let view = self.provider(&new.name).await?;
        let done = done("provider.created", tenant, &new.name);
        Ok((view, done.detail("settings", new.settings.clone())))
    }

    /// Changes the settings of a provider (`provider.updated`).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn update_provider(
        &mut self,
        tenant: &Tenant,
        former: &ProviderView,
        (settings, sealed): (&Value, &[u8]),
    ) -> Result<(ProviderView, Done)> {
        let (name, now) = (&former.stored.name, self.now());
        sqlx::query!(
            "UPDATE providers SET settings = $2, sealed = $3, updated_at = $4 WHERE name = $1",
            name,
            settings,
            sealed,
            now,
        )
        .execute(self.connection())
        .await?;
        let done = done("provider.updated", tenant, name)
            .detail("from", former.stored.settings.clone())
            .detail("to", settings.clone());
        Ok((self.provider(name).await?, done))
    }

    /// Forgets a provider, who came from it, the sessions that did, and the roles that it gave
    /// (`provider.deleted`). Accounts stay.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn delete_provider(&mut self, tenant: &Tenant, name: &Slug) -> Result<Done> {
        let now = self.now();
        let sessions = sqlx::query!(
            "UPDATE sessions s SET revoked_at = $2 FROM provider_sessions f
             WHERE f.session_id = s.id AND f.provider = $1 AND s.revoked_at IS NULL",
            name.as_str(),
            now,
        )
        .execute(self.connection())
        .await?;
        let roles = sqlx::query!("DELETE FROM bindings WHERE provider = $1", name.as_str())
            .execute(self.connection())
            .await?;
        let people = sqlx::query!("DELETE FROM identities WHERE provider = $1", name.as_str())
            .execute(self.connection())
            .await?;
        sqlx::query!("DELETE FROM providers WHERE name = $1", name.as_str())
            .execute(self.connection())
            .await?;
        Ok(done("provider.deleted", tenant, name.as_str())
            .detail("sessions", sessions.rows_affected())
            .detail("roles", roles.rows_affected())
            .detail("people", people.rows_affected()))
    }
}

fn done(event: &'static str, tenant: &Tenant, name: &str) -> Done {
    Done::new(event, "provider", name).tenant(tenant.id, &tenant.slug)
}

async fn one(connection: &mut PgConnection, name: &str) -> Result<ProviderView> {
    let found = providers(connection, Some(name), (None, 1)).await?;
    let found = found.into_iter().next();
    found.ok_or_else(|| StoreError::not_found("provider", name))
}

async fn providers(
    connection: &mut PgConnection,
    only: Option<&str>,
    (after, most): (Option<&str>, i64),
) -> Result<Vec<ProviderView>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT p.name, t.slug AS tenant, p.settings, p.sealed, p.created_at, p.updated_at
         FROM providers p JOIN tenants t ON t.id = p.tenant_id
         WHERE ($1::text IS NULL OR p.name = $1) AND ($2::text IS NULL OR p.name > $2)
         ORDER BY p.name LIMIT $3",
        only,
        after,
        most,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
