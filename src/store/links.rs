//! Links that work once.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::api::ApiTx;
use super::author::Done;
use super::{Author, Db, Result};
use crate::domain::{Email, LinkId, LinkPurpose, PrincipalId, PrincipalName, SecretHash};

/// A link that works.
#[derive(Clone, Debug)]
pub struct Link {
    /// Whose.
    pub principal: PrincipalId,
    /// Their address.
    pub email: String,
    /// Verifies the secret.
    pub secret_hash: SecretHash,
}

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Its public id.
    pub id: LinkId,
    /// Verifies the secret.
    pub secret_hash: SecretHash,
    /// What it is for.
    pub purpose: LinkPurpose,
}

impl Db {
    /// Makes a link (`user.invited`, `password.reset_asked`). One of the same purpose that the
    /// person had works no more.
    ///
    /// # Errors
    ///
    /// `NotFound` for the person.
    pub async fn make_link(
        &self,
        author: &mut Author,
        to: &Email,
        new: &NewLink,
    ) -> Result<DateTime<Utc>> {
        let mut change = self.change(author).await?;
        let name = PrincipalName::Email(to.clone());
        let person = super::principals::principal(&mut change.tx, &name).await?;
        let now = change.author.now();
        let expires = now + new.purpose.life();
        sqlx::query!(
            "DELETE FROM one_time_links
             WHERE principal_id = $1 AND purpose = $2 OR expires_at <= $3",
            person.id.0,
            new.purpose.as_str(),
            now,
        )
        .execute(&mut *change.tx)
        .await?;
        sqlx::query!(
            "INSERT INTO one_time_links (id, principal_id, purpose, secret_hash, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            new.id.0,
            person.id.0,
            new.purpose.as_str(),
            &new.secret_hash.0,
            now,
            expires,
        )
        .execute(&mut *change.tx)
        .await?;
        let event = match new.purpose {
            LinkPurpose::Invitation => "user.invited",
            LinkPurpose::Reset => "password.reset_asked",
        };
        let done = Done::new(event, "user", &person.id).detail("principal", person.label());
        change.commit(done).await?;
        Ok(expires)
    }

    /// A letter to this address was not sent (`mail.failed`).
    ///
    /// # Errors
    ///
    /// `NotFound` for the person.
    pub async fn mail_failed(&self, author: &mut Author, to: &Email, why: &str) -> Result<()> {
        let mut change = self.change(author).await?;
        let name = PrincipalName::Email(to.clone());
        let person = super::principals::principal(&mut change.tx, &name).await?;
        let done = Done::new("mail.failed", "user", &person.id);
        change.commit(done.detail("why", why)).await
    }

    /// The link of this id; `None`: it does not work, or not any more, or not for who may not act.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Corrupt`.
    pub async fn find_link(&self, id: LinkId, now: DateTime<Utc>) -> Result<Option<Link>> {
        let row = sqlx::query!(
            r#"SELECT l.principal_id, l.secret_hash, p.email AS "email!"
               FROM one_time_links l JOIN principals p ON p.id = l.principal_id
               WHERE l.id = $1 AND l.expires_at > $2 AND p.disabled_at IS NULL"#,
            id.0,
            now,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(row.and_then(|row| {
            Some(Link {
                principal: PrincipalId(row.principal_id),
                email: row.email,
                secret_hash: SecretHash(row.secret_hash.try_into().ok()?),
            })
        }))
    }
}

impl ApiTx {
    /// Takes a link; `false`: somebody was faster.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn take_link(&mut self, id: LinkId) -> Result<bool> {
        let now = self.now();
        let taken = sqlx::query!(
            "DELETE FROM one_time_links WHERE id = $1 AND expires_at > $2",
            id.0,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(taken.rows_affected() == 1)
    }
}

/// Whoever has a new password needs none of their links.
pub(super) async fn end_links(connection: &mut PgConnection, of: PrincipalId) -> Result<()> {
    let id: Uuid = of.0;
    sqlx::query!("DELETE FROM one_time_links WHERE principal_id = $1", id)
        .execute(connection)
        .await?;
    Ok(())
}
