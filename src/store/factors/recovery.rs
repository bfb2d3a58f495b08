//! Recovery codes: each is good for once, in the place of a second factor that is lost.

use super::super::Result;
use super::super::api::ApiTx;
use super::super::author::Done;
use crate::domain::{PrincipalId, SecretHash};

impl ApiTx {
    /// Puts these in the place of all former ones (`recovery_codes.created`).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn put_recovery_codes(
        &mut self,
        of: PrincipalId,
        hashes: &[SecretHash],
    ) -> Result<Done> {
        self.forget_recovery_codes(of).await?;
        let codes: Vec<_> = hashes.iter().map(|hash| hash.0.to_vec()).collect();
        sqlx::query!(
            "INSERT INTO recovery_codes (principal_id, code_hash)
             SELECT $1, code FROM unnest($2::bytea[]) AS given (code)",
            of.0,
            &codes,
        )
        .execute(self.connection())
        .await?;
        let done = Done::new("recovery_codes.created", "user", &of);
        Ok(done.detail("codes", codes.len()))
    }

    /// There are none any more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn forget_recovery_codes(&mut self, of: PrincipalId) -> Result<()> {
        sqlx::query!("DELETE FROM recovery_codes WHERE principal_id = $1", of.0)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Takes a code; `false` if it is none, or was taken already.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn use_recovery_code(&mut self, of: PrincipalId, hash: &SecretHash) -> Result<bool> {
        let now = self.now();
        let used = sqlx::query!(
            "UPDATE recovery_codes SET used_at = $3
             WHERE principal_id = $1 AND code_hash = $2 AND used_at IS NULL",
            of.0,
            &hash.0,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(used.rows_affected() == 1)
    }
}
