//! Sessions whose providers are to be asked again what they rest on.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::author::{Done, write_event};
use super::identities::{GrantedBy, WantedRole, grant_by_provider};
use super::{Author, Db, Result};
use crate::domain::{PrincipalId, SessionId, Slug};

/// How many sessions are taken at once.
const BATCH: i64 = 20;

/// A session that is to be asked for.
#[derive(Clone, Debug)]
pub struct DueRecheck {
    /// Which one.
    pub session: SessionId,
    /// Whose.
    pub principal: PrincipalId,
    /// What the provider calls them.
    pub subject: String,
    /// Its tokens, sealed.
    pub sealed: Vec<u8>,
}

impl Db {
    /// Sessions that go on and whose time it is. Nobody else takes them for as long as `retry`,
    /// after which they are due again unless something came of it.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn take_due_rechecks(
        &self,
        provider: &Slug,
        now: DateTime<Utc>,
        retry: TimeDelta,
    ) -> Result<Vec<DueRecheck>> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query!(
            r#"UPDATE provider_sessions f SET ask_at = $3
               FROM (SELECT d.session_id, s.principal_id
                     FROM provider_sessions d JOIN sessions s ON s.id = d.session_id
                     WHERE d.provider = $1 AND d.ask_at <= $2 AND d.sealed IS NOT NULL
                         AND s.revoked_at IS NULL AND s.expires_at > $2 AND NOT s.pending
                     ORDER BY d.ask_at LIMIT $4 FOR UPDATE OF d SKIP LOCKED) due
               WHERE f.session_id = due.session_id
               RETURNING f.session_id, due.principal_id, f.name, f.sealed AS "sealed!""#,
            provider.as_str(),
            now,
            now + retry,
            BATCH,
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|row| DueRecheck {
                session: SessionId(row.session_id),
                principal: PrincipalId(row.principal_id),
                subject: row.name,
                sealed: row.sealed,
            })
            .collect())
    }

    /// Records what a provider has said again, and gives exactly these roles
    /// (`session.rechecked`, if any role comes or goes).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn rechecked(
        &self,
        author: &mut Author,
        (due, by): (&DueRecheck, GrantedBy<'_>),
        wanted: &[WantedRole],
        (sealed, ask_at): (&[u8], DateTime<Utc>),
    ) -> Result<()> {
        let now = author.now();
        let mut tx = self.begin().await?;
        // A session that has taken this one's place meanwhile has the same tokens.
        sqlx::query!(
            "UPDATE provider_sessions SET sealed = $4, checked_at = $5, ask_at = $6
             WHERE provider = $1 AND name = $2 AND sealed = $3",
            by.provider.as_str(),
            due.subject,
            &due.sealed,
            sealed,
            now,
            ask_at,
        )
        .execute(&mut *tx)
        .await?;
        // An answer may come when everything that it is about has ended.
        let rests = sqlx::query_scalar!(
            "SELECT s.id FROM provider_sessions f JOIN sessions s ON s.id = f.session_id
             WHERE f.provider = $1 AND f.name = $2 AND s.principal_id = $3 AND s.revoked_at IS NULL
                 AND EXISTS (SELECT FROM identities i WHERE i.provider = $1
                     AND i.principal_id = $3)
             FOR SHARE OF s",
            by.provider.as_str(),
            due.subject,
            due.principal.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        if rests.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = wanted.iter().map(|_| author.id()).collect();
        let roles = grant_by_provider(&mut tx, &ids, (due.principal, by, now), wanted).await?;
        if roles["given"] != json!([]) || roles["taken"] != json!([]) {
            let done = Done::new("session.rechecked", "session", &due.session)
                .detail("principal_id", due.principal.to_string())
                .detail("provider", by.provider.as_str())
                .detail("roles", roles.clone());
            write_event(&mut tx, author, done).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends the sessions of which a provider has not said since then that they are right
    /// (`session.revoked`).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn end_unchecked(
        &self,
        author: &mut Author,
        provider: &Slug,
        since: DateTime<Utc>,
    ) -> Result<()> {
        let now = author.now();
        let mut tx = self.begin().await?;
        let ended = sqlx::query!(
            "UPDATE sessions s SET revoked_at = $3 FROM provider_sessions f
             WHERE s.id = f.session_id AND f.provider = $1 AND f.ask_at IS NOT NULL
                 AND f.checked_at <= $2 AND s.revoked_at IS NULL
             RETURNING s.id, s.principal_id",
            provider.as_str(),
            since,
            now,
        )
        .fetch_all(&mut *tx)
        .await?;
        for session in ended {
            let done = Done::new("session.revoked", "session", &session.id)
                .detail("principal_id", session.principal_id.to_string())
                .detail("provider", provider.as_str())
                .detail("because", "sso_unavailable");
            write_event(&mut tx, author, done).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends a session that rests on nothing any more (`session.revoked`), unless it has ended.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn end_unvouched(
        &self,
        author: &mut Author,
        (due, provider): (&DueRecheck, &Slug),
        because: &'static str,
    ) -> Result<()> {
        let now = author.now();
        let mut tx = self.begin().await?;
        let ended = sqlx::query_scalar!(
            "UPDATE sessions s SET revoked_at = $4 FROM provider_sessions f
             WHERE s.id = f.session_id AND f.provider = $1 AND f.name = $2 AND f.sealed = $3
                 AND s.revoked_at IS NULL
             RETURNING s.id",
            provider.as_str(),
            due.subject,
            &due.sealed,
            now,
        )
        .fetch_all(&mut *tx)
        .await?;
        for session in ended {
            let done = Done::new("session.revoked", "session", &session)
                .detail("principal_id", due.principal.to_string())
                .detail("provider", provider.as_str())
                .detail("because", because);
            write_event(&mut tx, author, done).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
