//! Passwords of people.

use sqlx::types::Uuid;

use super::author::Done;
use super::{Author, Db, Result};
use crate::domain::{Email, PrincipalId, PrincipalName};

/// What signing in asks of a person.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who.
    pub id: PrincipalId,
    /// Whether they may act at all.
    pub disabled: bool,
    /// Their password's hash; `None`: they have none.
    pub hash: Option<String>,
}

impl Db {
    /// The person of this address.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn account(&self, email: &Email) -> Result<Option<Account>> {
        let row = sqlx::query!(
            r#"SELECT p.id, p.disabled_at IS NOT NULL AS "disabled!", w.hash AS "hash?"
               FROM principals p LEFT JOIN passwords w ON w.principal_id = p.id
               WHERE p.kind = 'user' AND lower(p.email) = $1"#,
            email.as_str(),
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(row.map(|row| Account {
            id: PrincipalId(row.id),
            disabled: row.disabled,
            hash: row.hash,
        }))
    }

    /// Gives a person a password (`password.changed`), and ends their sessions.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn set_password(&self, author: &mut Author, email: &Email, hash: &str) -> Result<()> {
        let mut change = self.change(author).await?;
        let name = PrincipalName::Email(email.clone());
        let person = super::principals::principal(&mut change.tx, &name).await?;
        let now = change.author.now();
        sqlx::query!(
            "INSERT INTO passwords (principal_id, hash, changed_at) VALUES ($1, $2, $3)
             ON CONFLICT (principal_id) DO UPDATE
             SET hash = excluded.hash, changed_at = excluded.changed_at",
            person.id.0,
            hash,
            now,
        )
        .execute(&mut *change.tx)
        .await?;
        let ended = super::sessions::end_all(&mut change.tx, person.id, None, now).await?;
        let done = Done::new("password.changed", "user", &person.id);
        let done = done.detail("principal", person.label());
        change.commit(done.detail("sessions_ended", ended)).await
    }
}

/// Puts a hash under better parameters in the place of another, unless that was changed.
pub(super) async fn rehash(
    connection: &mut sqlx::PgConnection,
    of: PrincipalId,
    former: &str,
    hash: &str,
) -> Result<()> {
    let id: Uuid = of.0;
    sqlx::query!(
        "UPDATE passwords SET hash = $3 WHERE principal_id = $1 AND hash = $2",
        id,
        former,
        hash,
    )
    .execute(connection)
    .await?;
    Ok(())
}
