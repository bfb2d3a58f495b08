//! Attempts to sign in that failed, so that guessing becomes slow.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use sqlx::PgConnection;

use super::{Author, Db, Done, Result};

/// An account that somebody tries to sign in to, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Keyed hash of the account's name as it is understood, whether or not anybody has it.
    pub account: [u8; 32],
    /// The client's network.
    pub source: String,
}

/// What was tried lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// On this account from here.
    pub here: i64,
    /// When the last of these was.
    pub last_at: Option<DateTime<Utc>>,
    /// From here, on any account.
    pub source: i64,
}

/// Who has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockedOut {
    /// Whoever tries this account from there.
    Account,
    /// Whoever tries any account from there.
    Source,
}

impl Db {
    /// Counts an attempt as failed, before it is known whether it is, unless it has to wait: how
    /// long `judge` says by what was tried since. Those of one place take turns, so that of many
    /// at once none is judged by what was before all of them. Those before `since` are forgotten.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn admit(
        &self,
        attempt: &Attempt,
        (since, now): (DateTime<Utc>, DateTime<Utc>),
        judge: impl FnOnce(&Failures) -> Option<u64>,
    ) -> Result<(Failures, Option<u64>)> {
        let mut tx = self.begin().await?;
        sqlx::query!(
            "SELECT pg_advisory_xact_lock(hashtextextended('attempts of ' || $1, 0))",
            attempt.source,
        )
        .execute(&mut *tx)
        .await?;
        let failures = failures(&mut tx, attempt, since).await?;
        let wait = judge(&failures);
        if wait.is_none() {
            count(&mut tx, attempt, (since, now)).await?;
        }
        tx.commit().await?;
        Ok((failures, wait))
    }

    /// An attempt that counted as failed was none.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn forgive(&self, attempt: &Attempt) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query!(
            "DELETE FROM sign_in_failures WHERE account = $1 AND source = $2",
            &attempt.account,
            attempt.source,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes that somebody has to wait (`sign_in.locked_out`), once until it is forgotten.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn note_lock_out(
        &self,
        author: &mut Author,
        attempt: &Attempt,
        (whose, ip): (LockedOut, Option<IpAddr>),
    ) -> Result<()> {
        let mut change = self.change(author).await?;
        // That of a whole place is noted beside those of accounts, where no account is.
        let account = match whose {
            LockedOut::Account => attempt.account,
            LockedOut::Source => [0; 32],
        };
        let noted = sqlx::query!(
            "INSERT INTO sign_in_failures AS f (account, source, failures, last_at, locked_out)
             VALUES ($1, $2, 0, $3, true)
             ON CONFLICT (account, source) DO UPDATE SET locked_out = true
             WHERE NOT f.locked_out",
            &account[..],
            attempt.source,
            change.author.now(),
        )
        .execute(&mut *change.tx)
        .await?;
        if noted.rows_affected() == 0 {
            return Ok(());
        }
        let kind = match whose {
            LockedOut::Account => "account",
            LockedOut::Source => "source",
        };
        // An account's name may be a password that was typed in the wrong field.
        let account = short(&attempt.account);
        let done =
            Done::new("sign_in.locked_out", kind, &account).detail("source", &*attempt.source);
        let ip = ip.map(|ip| ip.to_string());
        change.commit(done.detail("address", ip)).await
    }
}

/// The first 64 bits of a hash: enough to tell accounts apart in events.
fn short(account: &[u8; 32]) -> String {
    let head = account.first_chunk().expect("8 of 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*head))
}

async fn count(
    connection: &mut PgConnection,
    attempt: &Attempt,
    (since, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO sign_in_failures AS f (account, source, failures, last_at)
         VALUES ($1, $2, 1, $4)
         ON CONFLICT (account, source) DO UPDATE
         SET failures = CASE WHEN f.last_at < $3 THEN 1 ELSE f.failures + 1 END, last_at = $4,
             locked_out = f.locked_out AND f.last_at >= $3",
        &attempt.account,
        attempt.source,
        since,
        now,
    )
    .execute(&mut *connection)
    .await?;
    // Those that somebody else is at are left to them.
    sqlx::query!(
        "DELETE FROM sign_in_failures WHERE (account, source) IN (
             SELECT account, source FROM sign_in_failures WHERE last_at < $1
             ORDER BY last_at LIMIT 100 FOR UPDATE SKIP LOCKED)",
        since,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn failures(
    connection: &mut PgConnection,
    attempt: &Attempt,
    since: DateTime<Utc>,
) -> Result<Failures> {
    let row = sqlx::query!(
        r#"SELECT coalesce(sum(failures) FILTER (WHERE account = $1), 0) AS "here!",
               max(last_at) FILTER (WHERE account = $1) AS last_at,
               coalesce(sum(failures), 0) AS "source!"
           FROM sign_in_failures WHERE source = $2 AND last_at >= $3"#,
        &attempt.account,
        attempt.source,
        since,
    )
    .fetch_one(connection)
    .await?;
    Ok(Failures {
        here: row.here,
        last_at: row.last_at,
        source: row.source,
    })
}
