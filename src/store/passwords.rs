//! Passwords of people.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::api::ApiTx;
use super::author::Done;
use super::links::end_links;
use super::sessions::{end_all, names};
use super::{Author, Db, Result};
use crate::domain::{Email, PrincipalId, PrincipalName};

/// What signing in asks of a person.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who.
    pub id: PrincipalId,
    /// Their address.
    pub email: String,
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
            r#"SELECT p.id, p.email AS "email!", p.disabled_at IS NOT NULL AS "disabled!",
                   w.hash AS "hash?"
               FROM principals p LEFT JOIN passwords w ON w.principal_id = p.id
               WHERE p.kind = 'user' AND p.email = $1"#,
            email.as_str(),
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(row.map(|row| Account {
            id: PrincipalId(row.id),
            email: row.email,
            disabled: row.disabled,
            hash: row.hash,
        }))
    }

    /// The address of the user of this id; `None`: there is none, or they may not act.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn address_of(&self, id: PrincipalId) -> Result<Option<String>> {
        let email = sqlx::query_scalar!(
            r#"SELECT email AS "email!" FROM principals
               WHERE id = $1 AND kind = 'user' AND disabled_at IS NULL"#,
            id.0,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(email)
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
        let done = put(&mut change.tx, person.id, hash, now).await?;
        change
            .commit(done.detail("principal", person.label()))
            .await
    }

    /// What the person of this id signs in with.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn password_of(&self, id: PrincipalId) -> Result<Option<String>> {
        on_record(&mut *self.read().await?, id).await
    }
}

impl ApiTx {
    /// What the person signs in with at this moment of the change.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn password_of(&mut self, of: PrincipalId) -> Result<Option<String>> {
        on_record(self.connection(), of).await
    }

    /// Gives a person another password (`password.changed`), and ends all their sessions.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn change_password(&mut self, of: PrincipalId, hash: &str) -> Result<Done> {
        let now = self.now();
        put(self.connection(), of, hash, now).await
    }
}

async fn on_record(connection: &mut PgConnection, of: PrincipalId) -> Result<Option<String>> {
    let found = sqlx::query_scalar!("SELECT hash FROM passwords WHERE principal_id = $1", of.0)
        .fetch_optional(connection)
        .await?;
    Ok(found)
}

async fn put(
    connection: &mut PgConnection,
    of: PrincipalId,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<Done> {
    sqlx::query!(
        "INSERT INTO passwords (principal_id, hash, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (principal_id) DO UPDATE
         SET hash = excluded.hash, changed_at = excluded.changed_at",
        of.0,
        hash,
        now,
    )
    .execute(&mut *connection)
    .await?;
    end_links(connection, of).await?;
    let ended = end_all(connection, of, now).await?;
    let done = Done::new("password.changed", "user", &of);
    let done = done.detail("sessions_ended", ended.len());
    Ok(done.detail("ended", names(&ended)))
}

/// Puts a hash under better parameters in the place of another, unless that was changed.
pub(super) async fn rehash(
    connection: &mut PgConnection,
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
