//! What a browser's authenticator was asked, until it has answered (Web Authentication §1.4).

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Uuid;

use super::super::{Db, Result};
use crate::domain::{CeremonyId, SessionId};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Ceremony {
    /// Known to the browser alone.
    pub id: CeremonyId,
    /// Whose browser; `None`: that of somebody who is about to sign in.
    pub session: Option<SessionId>,
    /// The challenge and what else the answer is held against.
    pub state: Value,
    /// Until when an answer is taken.
    pub expires_at: DateTime<Utc>,
}

impl Db {
    /// Keeps what was asked, and forgets what was not answered in time.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn begin_ceremony(&self, ceremony: &Ceremony, now: DateTime<Utc>) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query!("DELETE FROM ceremonies WHERE expires_at <= $1", now)
            .execute(&mut *tx)
            .await?;
        let session: Option<Uuid> = ceremony.session.map(|session| session.0);
        sqlx::query!(
            "INSERT INTO ceremonies (id, session_id, state, expires_at) VALUES ($1, $2, $3, $4)",
            ceremony.id.0,
            session,
            ceremony.state,
            ceremony.expires_at,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// What was kept and waits for nobody's session; it goes on waiting.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn ceremony_waiting(
        &self,
        id: CeremonyId,
        now: DateTime<Utc>,
    ) -> Result<Option<Value>> {
        let state = sqlx::query_scalar!(
            "SELECT state FROM ceremonies
             WHERE id = $1 AND session_id IS NULL AND expires_at > $2",
            id.0,
            now,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(state)
    }

    /// What was asked, for one answer and no second one; `None` if nothing was, or of another
    /// session, or too long ago.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn take_ceremony(
        &self,
        id: CeremonyId,
        session: Option<SessionId>,
        now: DateTime<Utc>,
    ) -> Result<Option<Value>> {
        let mut tx = self.begin().await?;
        let session: Option<Uuid> = session.map(|session| session.0);
        let state = sqlx::query_scalar!(
            "DELETE FROM ceremonies
             WHERE id = $1 AND session_id IS NOT DISTINCT FROM $2 AND expires_at > $3
             RETURNING state",
            id.0,
            session,
            now,
        )
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(state)
    }
}
