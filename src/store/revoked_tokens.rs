//! Access tokens that are not good any more.

use chrono::{DateTime, Utc};

use super::author::Done;
use super::{Author, Db, Result};
use crate::domain::{KeyId, Tenant, TokenId};

/// A token, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct TokenOf<'a> {
    /// Its name.
    pub id: TokenId,
    /// The key that it was given for.
    pub key: &'a KeyId,
    /// The tenant of the client.
    pub tenant: Option<&'a Tenant>,
}

impl TokenOf<'_> {
    fn done(self, event: &'static str) -> Done {
        let done = Done::new(event, "access_token", &self.id)
            .detail("client_id", self.key.as_str().to_owned());
        match self.tenant {
            Some(tenant) => done.tenant(tenant.id, &tenant.slug),
            None => done,
        }
    }
}

impl Db {
    /// Whether it was revoked.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn is_token_revoked(&self, id: TokenId) -> Result<bool> {
        let row = sqlx::query!("SELECT id FROM revoked_tokens WHERE id = $1", id.0)
            .fetch_optional(&mut *self.read().await?)
            .await?;
        Ok(row.is_some())
    }

    /// Leaves word of an access token that is being given (`token.issued`): it is itself on no
    /// record.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn note_token(
        &self,
        author: &mut Author,
        token: TokenOf<'_>,
        scope: &str,
    ) -> Result<()> {
        let change = self.change(author).await?;
        let done = token.done("token.issued").detail("scope", scope.to_owned());
        change.commit(done).await
    }

    /// Revokes an access token (`token.revoked`), and forgets those whose time is over. One that
    /// is revoked already stays so, without another event.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn revoke_token(
        &self,
        author: &mut Author,
        token: TokenOf<'_>,
        expires_at: DateTime<Utc>,
    ) -> Result<()> {
        let mut change = self.change(author).await?;
        let now = change.author.now();
        sqlx::query!("DELETE FROM revoked_tokens WHERE expires_at < $1", now)
            .execute(&mut *change.tx)
            .await?;
        let revoked = sqlx::query!(
            "INSERT INTO revoked_tokens (id, key_id, revoked_at, expires_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
            token.id.0,
            token.key.as_str(),
            now,
            expires_at,
        )
        .execute(&mut *change.tx)
        .await?;
        if revoked.rows_affected() == 0 {
            return Ok(());
        }
        change.commit(token.done("token.revoked")).await
    }
}
