//! Passkeys.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Uuid;

use super::super::api::ApiTx;
use super::super::author::Done;
use super::super::{Db, Result, StoreError};
use crate::domain::{PasskeyId, PrincipalId};

/// A passkey.
#[derive(Clone, Debug)]
pub struct StoredPasskey {
    /// Names it in lists.
    pub id: PasskeyId,
    /// As its holder calls it.
    pub name: String,
    /// Public key and counter.
    pub passkey: Value,
    /// When it was set up.
    pub created_at: DateTime<Utc>,
    /// When somebody last signed in with it.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Db {
    /// The passkeys of a person, the oldest first.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn passkeys(&self, of: PrincipalId) -> Result<Vec<StoredPasskey>> {
        let rows = sqlx::query!(
            "SELECT id, name, passkey, created_at, last_used_at FROM passkeys
             WHERE principal_id = $1 ORDER BY created_at, id",
            of.0,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        let stored = rows.into_iter().map(|row| StoredPasskey {
            id: PasskeyId(row.id),
            name: row.name,
            passkey: row.passkey,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
        });
        Ok(stored.collect())
    }
}

impl ApiTx {
    /// Puts a passkey on record (`factor.added`).
    ///
    /// # Errors
    ///
    /// `Conflict` if anybody has it already.
    pub async fn add_passkey(
        &mut self,
        of: PrincipalId,
        name: &str,
        credential: &[u8],
        passkey: Value,
    ) -> Result<Done> {
        let id: Uuid = self.id();
        let now = self.now();
        let added = sqlx::query!(
            "INSERT INTO passkeys (id, principal_id, credential_id, name, passkey, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (credential_id) DO NOTHING",
            id,
            of.0,
            credential,
            name,
            passkey,
            now,
        )
        .execute(self.connection())
        .await?;
        if added.rows_affected() == 0 {
            return Err(StoreError::Conflict("it is set up already".to_owned()));
        }
        let done = Done::new("factor.added", "user", &of).detail("factor", "passkey");
        Ok(done.detail("name", name))
    }

    /// A passkey was used, and has changed by it.
    ///
    /// # Errors
    ///
    /// `NotFound` if it was taken away meanwhile.
    pub async fn use_passkey(&mut self, id: PasskeyId, passkey: Value) -> Result<()> {
        let now = self.now();
        let used = sqlx::query!(
            "UPDATE passkeys SET passkey = $2, last_used_at = $3 WHERE id = $1",
            id.0,
            passkey,
            now,
        )
        .execute(self.connection())
        .await?;
        match used.rows_affected() {
            0 => Err(StoreError::not_found("passkey", &id)),
            _ => Ok(()),
        }
    }

    /// Takes a passkey away (`factor.removed`).
    ///
    /// # Errors
    ///
    /// `NotFound`, also for somebody else's.
    pub async fn remove_passkey(&mut self, of: PrincipalId, id: PasskeyId) -> Result<Done> {
        let name = sqlx::query_scalar!(
            "DELETE FROM passkeys WHERE id = $1 AND principal_id = $2 RETURNING name",
            id.0,
            of.0,
        )
        .fetch_optional(self.connection())
        .await?
        .ok_or_else(|| StoreError::not_found("passkey", &id))?;
        let done = Done::new("factor.removed", "user", &of).detail("factor", "passkey");
        Ok(done.detail("name", name))
    }
}
