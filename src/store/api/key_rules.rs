//! Key rules of tenants.

use sqlx::types::Json;

use super::super::Result;
use super::super::author::Done;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{KeyRules, Tenant, TenantId};

impl ReadTx {
    /// Those of a tenant; none is as empty ones.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn key_rules(&mut self, of: TenantId) -> Result<KeyRules> {
        read(&mut self.0, of).await
    }
}

impl ApiTx {
    /// Those of a tenant, as they will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn key_rules(&mut self, of: TenantId) -> Result<KeyRules> {
        read(self.connection(), of).await
    }

    /// Gives a tenant other rules (`key_rules.updated`).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn put_key_rules(&mut self, of: &Tenant, rules: &KeyRules) -> Result<Done> {
        sqlx::query!(
            "UPDATE tenants SET key_rules = $2 WHERE id = $1",
            of.id.0,
            Json(rules) as Json<&KeyRules>,
        )
        .execute(self.connection())
        .await?;
        let done = Done::new("key_rules.updated", "tenant", &of.id).tenant(of.id, &of.slug);
        Ok(done.detail("rules", serde_json::json!(rules)))
    }
}

async fn read(connection: &mut sqlx::PgConnection, of: TenantId) -> Result<KeyRules> {
    let found = sqlx::query_scalar!(
        r#"SELECT key_rules AS "rules: Json<KeyRules>" FROM tenants WHERE id = $1"#,
        of.0,
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.flatten().map(|Json(rules)| rules).unwrap_or_default())
}
