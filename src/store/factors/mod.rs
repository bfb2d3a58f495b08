//! What people prove who they are with besides a password.

mod ceremonies;
mod passkeys;
mod recovery;
mod totp;

pub use self::ceremonies::Ceremony;
pub use self::passkeys::StoredPasskey;
use super::api::ApiTx;
use super::author::Done;
use super::sessions::{end_all, names};
use super::{Author, Db, Result};
use crate::domain::{Email, PrincipalId, PrincipalName, SessionId};

/// What somebody has set up.
#[derive(Clone, Debug)]
pub struct Factors {
    /// Whether an authenticator app.
    pub totp: bool,
    /// Passkeys, the oldest first.
    pub passkeys: Vec<StoredPasskey>,
    /// How many recovery codes are left.
    pub recovery_codes: i64,
}

impl Factors {
    /// Whether there is a second factor at all. Recovery codes are none by themselves.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.totp || !self.passkeys.is_empty()
    }
}

impl Db {
    /// What a person has set up.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn factors(&self, of: PrincipalId) -> Result<Factors> {
        let row = sqlx::query!(
            r#"SELECT EXISTS (SELECT FROM totp WHERE principal_id = $1) AS "totp!",
                   (SELECT count(*) FROM recovery_codes
                    WHERE principal_id = $1 AND used_at IS NULL) AS "codes!""#,
            of.0,
        )
        .fetch_one(&mut *self.read().await?)
        .await?;
        Ok(Factors {
            totp: row.totp,
            passkeys: self.passkeys(of).await?,
            recovery_codes: row.codes,
        })
    }

    /// Takes away all that a user proves who they are with besides their password, and ends
    /// their sessions (`factors.reset`): for who has lost it.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn reset_factors(&self, author: &mut Author, email: &Email) -> Result<u64> {
        let mut change = self.change(author).await?;
        let name = PrincipalName::Email(email.clone());
        let person = super::principals::principal(&mut change.tx, &name).await?;
        let id = person.id.0;
        let apps = sqlx::query!("DELETE FROM totp WHERE principal_id = $1", id)
            .execute(&mut *change.tx)
            .await?;
        let passkeys = sqlx::query!("DELETE FROM passkeys WHERE principal_id = $1", id)
            .execute(&mut *change.tx)
            .await?;
        sqlx::query!("DELETE FROM recovery_codes WHERE principal_id = $1", id)
            .execute(&mut *change.tx)
            .await?;
        let now = change.author.now();
        let ended = end_all(&mut change.tx, person.id, now).await?;
        let removed = apps.rows_affected() + passkeys.rows_affected();
        let done = Done::new("factors.reset", "user", &person.id)
            .detail("principal", person.label())
            .detail("removed", removed)
            .detail("sessions_ended", ended.len())
            .detail("ended", names(&ended));
        change.commit(done).await?;
        Ok(removed)
    }
}

impl ApiTx {
    /// Whether a person has a second factor at this moment of the change.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn has_factor(&mut self, of: PrincipalId) -> Result<bool> {
        let found = sqlx::query_scalar!(
            r#"SELECT (EXISTS (SELECT FROM totp WHERE principal_id = $1)
                   OR EXISTS (SELECT FROM passkeys WHERE principal_id = $1)) AS "any!""#,
            of.0,
        )
        .fetch_one(self.connection())
        .await?;
        Ok(found)
    }

    /// Ends all sessions of a person, since what they prove who they are with has changed.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn end_all_sessions(&mut self, of: PrincipalId) -> Result<Vec<SessionId>> {
        let now = self.now();
        end_all(self.connection(), of, now).await
    }
}
