//! Answers kept for requests that are sent again.

use chrono::TimeDelta;

use super::super::Result;
use super::tx::ApiTx;
use crate::domain::PrincipalId;

/// For which request an answer is kept.
#[derive(Clone, Debug)]
pub struct KeptFor {
    /// Who sent it.
    pub principal: PrincipalId,
    /// Hash of its Idempotency-Key.
    pub key_hash: [u8; 32],
    /// Hash of all that it asked for.
    pub request_hash: [u8; 32],
}

/// An answer that was kept.
#[derive(Debug)]
pub struct KeptAnswer {
    /// Hash of the request that got it.
    pub request_hash: Vec<u8>,
    /// The answer, sealed under the Idempotency-Key.
    pub sealed: Vec<u8>,
}

/// How long an answer is kept.
const LIFE: TimeDelta = TimeDelta::hours(24);

impl ApiTx {
    /// The answer that this key got, if it is still kept.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn kept_answer(&mut self, of: &KeptFor) -> Result<Option<KeptAnswer>> {
        let oldest = self.now() - LIFE;
        let kept = sqlx::query_as!(
            KeptAnswer,
            "SELECT request_hash, sealed FROM api_answers
             WHERE principal_id = $1 AND key_hash = $2 AND created_at > $3",
            of.principal.0,
            &of.key_hash[..],
            oldest,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(kept)
    }

    /// Keeps an answer with the change that it tells of, and forgets those that are too old.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn keep_answer(&mut self, of: &KeptFor, sealed: &[u8]) -> Result<()> {
        let now = self.now();
        sqlx::query!("DELETE FROM api_answers WHERE created_at <= $1", now - LIFE,)
            .execute(self.connection())
            .await?;
        sqlx::query!(
            "INSERT INTO api_answers (principal_id, key_hash, request_hash, sealed, created_at)
             VALUES ($1, $2, $3, $4, $5)",
            of.principal.0,
            &of.key_hash[..],
            &of.request_hash[..],
            sealed,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
