//! What providers have sent that is good for once, and the sessions there that sessions here came
//! from.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::api::ApiTx;
use super::{Db, Result};
use crate::domain::{PrincipalId, SessionId, Slug};

/// A session at a provider.
#[derive(Clone, Copy, Debug)]
pub struct There<'a> {
    /// Where.
    pub provider: &'a Slug,
    /// Whose.
    pub name: &'a str,
    /// Which one.
    pub index: Option<&'a str>,
}

/// Where a session came from.
#[derive(Clone, Debug)]
pub struct CameFrom {
    /// The provider.
    pub provider: String,
    /// What it calls whose session it is.
    pub name: String,
    /// As it wants it back.
    pub there: Value,
    /// Its tokens, sealed.
    pub sealed: Option<Vec<u8>>,
}

impl Db {
    /// Whether a message is shown for the first time, here and at all other instances. It is
    /// remembered for as long as it could be shown again.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn is_first(
        &self,
        provider: &Slug,
        id: &str,
        (now, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<bool> {
        let digest = Sha256::digest(id);
        let mut tx = self.begin().await?;
        sqlx::query!("DELETE FROM provider_messages WHERE expires_at <= $1", now)
            .execute(&mut *tx)
            .await?;
        let kept = sqlx::query!(
            "INSERT INTO provider_messages (provider, digest, expires_at) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
            provider.as_str(),
            digest.as_slice(),
            until,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(kept.rows_affected() == 1)
    }

    /// Whether a message was shown before. It is to be marked once what it asks for is done, or
    /// one that is sent again after a failure would do nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn was_shown(&self, provider: &Slug, id: &str) -> Result<bool> {
        let digest = Sha256::digest(id);
        let shown = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM provider_messages
                   WHERE provider = $1 AND digest = $2) AS "shown!""#,
            provider.as_str(),
            digest.as_slice(),
        )
        .fetch_one(&mut *self.read().await?)
        .await?;
        Ok(shown)
    }

    /// Where a session came from, as the provider wants it back, and its tokens, sealed.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn session_there(&self, id: SessionId) -> Result<Option<CameFrom>> {
        let row = sqlx::query_as!(
            CameFrom,
            "SELECT provider, name, there, sealed FROM provider_sessions WHERE session_id = $1",
            id.0,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(row)
    }

    /// The sessions that go on and came from one of these; without an index from any.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn sessions_from(
        &self,
        provider: &Slug,
        name: &str,
        indexes: &[String],
    ) -> Result<Vec<(PrincipalId, SessionId)>> {
        let rows = sqlx::query!(
            "SELECT s.principal_id, s.id FROM provider_sessions f JOIN sessions s ON s.id = f.session_id
             WHERE f.provider = $1 AND f.name = $2 AND s.revoked_at IS NULL
                 AND (cardinality($3::text[]) = 0 OR f.session_index = ANY($3))
             ORDER BY s.id",
            provider.as_str(),
            name,
            indexes,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|row| (PrincipalId(row.principal_id), SessionId(row.id)))
            .collect())
    }
}

impl ApiTx {
    /// Records where a session came from; with tokens from there, sealed, and when it is to be
    /// asked again.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn came_from(
        &mut self,
        id: SessionId,
        there: There<'_>,
        as_wanted: Value,
        tokens: Option<(&[u8], Option<DateTime<Utc>>)>,
    ) -> Result<()> {
        let now = self.now();
        let (sealed, ask_at) = tokens.unzip();
        let ask_at = ask_at.flatten();
        sqlx::query!(
            "INSERT INTO provider_sessions (session_id, provider, name, session_index, there, sealed,
                 checked_at, ask_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            id.0,
            there.provider.as_str(),
            there.name,
            there.index,
            as_wanted,
            sealed,
            now,
            ask_at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// A session that takes another one's place came from where that one did.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn takes_place_of(&mut self, former: SessionId, new: SessionId) -> Result<()> {
        sqlx::query!(
            "INSERT INTO provider_sessions (session_id, provider, name, session_index, there, sealed,
                 checked_at, ask_at)
             SELECT $2, provider, name, session_index, there, sealed, checked_at, ask_at
             FROM provider_sessions
             WHERE session_id = $1
             ON CONFLICT DO NOTHING",
            former.0,
            new.0,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
