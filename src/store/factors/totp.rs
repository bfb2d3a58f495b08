//! Authenticator apps.

use super::super::api::ApiTx;
use super::super::author::Done;
use super::super::{Db, Result, StoreError};
use crate::domain::PrincipalId;

impl Db {
    /// The sealed secret of a person's app.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn totp(&self, of: PrincipalId) -> Result<Option<Vec<u8>>> {
        let sealed = sqlx::query_scalar!("SELECT sealed FROM totp WHERE principal_id = $1", of.0)
            .fetch_optional(&mut *self.read().await?)
            .await?;
        Ok(sealed)
    }
}

impl ApiTx {
    /// Puts an app on record (`factor.added`), and the time step of the code that proved it.
    ///
    /// # Errors
    ///
    /// `Conflict` if there is one.
    pub async fn add_totp(&mut self, of: PrincipalId, sealed: &[u8], step: i64) -> Result<Done> {
        let now = self.now();
        let added = sqlx::query!(
            "INSERT INTO totp (principal_id, sealed, created_at, last_step)
             VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            of.0,
            sealed,
            now,
            step,
        )
        .execute(self.connection())
        .await?;
        if added.rows_affected() == 0 {
            let what = "an authenticator app is set up already".to_owned();
            return Err(StoreError::Conflict(what));
        }
        Ok(Done::new("factor.added", "user", &of).detail("factor", "totp"))
    }

    /// Takes the code of a time step; `false` if that or a newer one was taken already
    /// (RFC 6238 §5.2).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn use_totp(
        &mut self,
        of: PrincipalId,
        step: i64,
        resealed: Option<&[u8]>,
    ) -> Result<bool> {
        let used = sqlx::query!(
            "UPDATE totp SET last_step = $2, sealed = coalesce($3, sealed)
             WHERE principal_id = $1 AND last_step < $2",
            of.0,
            step,
            resealed,
        )
        .execute(self.connection())
        .await?;
        Ok(used.rows_affected() == 1)
    }

    /// Takes an app away (`factor.removed`).
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn remove_totp(&mut self, of: PrincipalId) -> Result<Done> {
        let removed = sqlx::query!("DELETE FROM totp WHERE principal_id = $1", of.0)
            .execute(self.connection())
            .await?;
        if removed.rows_affected() == 0 {
            return Err(StoreError::not_found("authenticator app of", &of));
        }
        Ok(Done::new("factor.removed", "user", &of).detail("factor", "totp"))
    }
}
