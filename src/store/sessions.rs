//! Sessions of people.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::api::ApiTx;
use super::author::{Done, write_event};
use super::failures::Attempt;
use super::keys::CredentialUse;
use super::{Author, Db, Result, StoreError, passwords};
use crate::domain::{
    Email, Method, PrincipalId, PrincipalName, SecretHash, Session, SessionId, TenantId,
};

/// How many sessions are ended in one transaction.
const MOST_AT_ONCE: i64 = 500;

struct SessionRow {
    id: Uuid,
    principal_id: Uuid,
    secret_hash: Vec<u8>,
    created_at: DateTime<Utc>,
    authenticated_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    idle_seconds: i32,
    address: Option<String>,
    user_agent: String,
    methods: Vec<String>,
    pending: bool,
    vouched_by: Option<Uuid>,
    revoked_at: Option<DateTime<Utc>>,
    last_active_at: DateTime<Utc>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self> {
        let hash = row.secret_hash.try_into();
        let methods = row.methods.iter().map(|word| word.parse::<Method>());
        let address = row.address.map(|text| text.parse::<IpAddr>());
        Ok(Self {
            id: SessionId(row.id),
            principal: PrincipalId(row.principal_id),
            secret_hash: hash
                .map(SecretHash)
                .map_err(|_| StoreError::Corrupt("a hash that has not 32 bytes".to_owned()))?,
            created_at: row.created_at,
            authenticated_at: row.authenticated_at,
            expires_at: row.expires_at,
            idle: TimeDelta::seconds(row.idle_seconds.into()),
            last_active_at: row.last_active_at,
            address: address.transpose().map_err(StoreError::corrupt)?,
            user_agent: row.user_agent,
            methods: methods
                .collect::<std::result::Result<_, _>>()
                .map_err(StoreError::corrupt)?,
            pending: row.pending,
            vouched_by: row.vouched_by.map(TenantId),
            revoked_at: row.revoked_at,
        })
    }
}

impl Db {
    /// The session of this id, revoked and expired ones included.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn find_session(&self, id: SessionId) -> Result<Option<Session>> {
        let row = sqlx::query_as!(
            SessionRow,
            r#"SELECT s.id, s.principal_id, s.secret_hash, s.created_at, s.authenticated_at,
                   s.expires_at, s.idle_seconds, host(s.address) AS address, s.user_agent,
                   s.methods, s.pending, s.vouched_by, s.revoked_at,
                   coalesce(a.last_active_at, s.created_at) AS "last_active_at!"
               FROM sessions s LEFT JOIN session_activity a ON a.session_id = s.id
               WHERE s.id = $1"#,
            id.0,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        row.map(Session::try_from).transpose()
    }

    /// The sessions of a person that go on, the newest first.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn sessions_of(&self, id: PrincipalId, now: DateTime<Utc>) -> Result<Vec<Session>> {
        let rows = sqlx::query_as!(
            SessionRow,
            r#"SELECT s.id, s.principal_id, s.secret_hash, s.created_at, s.authenticated_at,
                   s.expires_at, s.idle_seconds, host(s.address) AS address, s.user_agent,
                   s.methods, s.pending, s.vouched_by, s.revoked_at,
                   coalesce(a.last_active_at, s.created_at) AS "last_active_at!"
               FROM sessions s LEFT JOIN session_activity a ON a.session_id = s.id
               WHERE s.principal_id = $1 AND NOT s.pending AND s.revoked_at IS NULL
                   AND s.expires_at > $2
                   AND coalesce(a.last_active_at, s.created_at)
                       > $2 - make_interval(secs => s.idle_seconds)
               ORDER BY s.created_at DESC, s.id"#,
            id.0,
            now,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        rows.into_iter().map(Session::try_from).collect()
    }

    /// The sessions of a user that go on, the newest first.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn sessions_of_user(&self, author: &Author, email: &Email) -> Result<Vec<Session>> {
        let account = self.account(email).await?;
        let account = account.ok_or_else(|| StoreError::not_found("user", email))?;
        self.sessions_of(account.id, author.now()).await
    }

    /// Ends anybody's session (`session.revoked`).
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if it was revoked already.
    pub async fn revoke_session(&self, author: &mut Author, id: SessionId) -> Result<()> {
        let mut change = self.change(author).await?;
        let now = change.author.now();
        let former = sqlx::query!(
            "UPDATE sessions s SET revoked_at = coalesce(s.revoked_at, $2)
             FROM (SELECT id, principal_id, revoked_at FROM sessions WHERE id = $1 FOR UPDATE) f
             WHERE s.id = f.id
             RETURNING f.principal_id, f.revoked_at",
            id.0,
            now,
        )
        .fetch_optional(&mut *change.tx)
        .await?
        .ok_or_else(|| StoreError::not_found("session", &id))?;
        if former.revoked_at.is_some() {
            return Err(StoreError::Conflict(format!("`{id}` is revoked already")));
        }
        let done = Done::new("session.revoked", "session", &id);
        change
            .commit(done.detail("principal_id", former.principal_id.to_string()))
            .await
    }

    /// Ends all sessions of a user (`session.all_revoked`); returns how many.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn revoke_sessions(&self, author: &mut Author, email: &Email) -> Result<u64> {
        let mut change = self.change(author).await?;
        let name = PrincipalName::Email(email.clone());
        let person = super::principals::principal(&mut change.tx, &name).await?;
        let now = change.author.now();
        let ended = end_all(&mut change.tx, person.id, now).await?;
        let done = Done::new("session.all_revoked", "user", &person.id)
            .detail("principal", person.label())
            .detail("sessions_ended", ended.len())
            .detail("ended", names(&ended));
        change.commit(done).await?;
        Ok(ended.len() as u64)
    }

    /// Ends sessions whose time is over, each with its event (`session.expired`) and by one
    /// gateway only, and forgets those that ended long ago. Returns how many were ended; at most
    /// as many as one call takes.
    ///
    /// # Errors
    ///
    /// `Unavailable`; then nothing has ended.
    pub async fn end_expired(&self, author: &mut Author) -> Result<u64> {
        let now = author.now();
        let mut tx = self.begin().await?;
        // Last use is written some seconds late.
        let ended = sqlx::query!(
            r#"UPDATE sessions SET revoked_at = $1 WHERE id IN (
                   SELECT s.id FROM sessions s LEFT JOIN session_activity a ON a.session_id = s.id
                   WHERE s.revoked_at IS NULL AND (s.expires_at <= $1
                       OR coalesce(a.last_active_at, s.created_at)
                           <= $1 - make_interval(mins => 1, secs => s.idle_seconds))
                   ORDER BY s.id LIMIT $2 FOR UPDATE OF s SKIP LOCKED)
               RETURNING id, principal_id, pending, expires_at <= $1 AS "by_age!""#,
            now,
            MOST_AT_ONCE,
        )
        .fetch_all(&mut *tx)
        .await?;
        for session in &ended {
            let because = if session.by_age { "lifetime" } else { "idle" };
            let done = Done::new("session.expired", "session", &session.id)
                .detail("principal_id", session.principal_id.to_string())
                .detail("because", because)
                .detail("pending", session.pending);
            write_event(&mut tx, author, done).await?;
        }
        sqlx::query!(
            "DELETE FROM sessions WHERE expires_at < $1::timestamptz - interval '90 days'",
            now,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(ended.len() as u64)
    }

    /// Records the last use of sessions: one statement a batch. A use older than the one on
    /// record changes nothing, so replicas may report in any order.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn record_session_use(&self, uses: &[CredentialUse<SessionId>]) -> Result<()> {
        let ids: Vec<Uuid> = uses.iter().map(|each| each.id.0).collect();
        let times: Vec<DateTime<Utc>> = uses.iter().map(|each| each.at).collect();
        let ips: Vec<Option<String>> = uses
            .iter()
            .map(|each| each.ip.map(|ip| ip.to_string()))
            .collect();
        let mut tx = self.begin().await?;
        sqlx::query!(
            r#"INSERT INTO session_activity AS a (session_id, last_active_at, last_address)
               SELECT DISTINCT ON (given.id) given.id, given.at, given.ip::inet
               FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS given (id, at, ip)
               JOIN sessions s ON s.id = given.id
               ORDER BY given.id, given.at DESC
               ON CONFLICT (session_id) DO UPDATE
               SET last_active_at = excluded.last_active_at, last_address = excluded.last_address
               WHERE a.last_active_at < excluded.last_active_at"#,
            &ids,
            &times,
            &ips as &[Option<String>],
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A hash under better parameters, for the one that it takes the place of.
#[derive(Clone, Debug)]
pub struct Rehashed {
    /// As it was.
    pub former: String,
    /// As it becomes.
    pub hash: String,
}

impl ApiTx {
    /// Begins a session (`session.created`), in the place of those that were `ended` for it.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn begin_session(&mut self, new: &Session, ended: &[SessionId]) -> Result<Done> {
        let methods: Vec<_> = new
            .methods
            .iter()
            .map(|method| method.as_str().to_owned())
            .collect();
        let idle = i32::try_from(new.idle.num_seconds()).unwrap_or(i32::MAX);
        sqlx::query!(
            "INSERT INTO sessions (id, principal_id, secret_hash, created_at, authenticated_at,
                 expires_at, idle_seconds, address, user_agent, methods, pending, vouched_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::inet, $9, $10, $11, $12)",
            new.id.0,
            new.principal.0,
            &new.secret_hash.0,
            new.created_at,
            new.authenticated_at,
            new.expires_at,
            idle,
            new.address.map(|address| address.to_string()),
            new.user_agent,
            &methods,
            new.pending,
            new.vouched_by.map(|tenant| tenant.0),
        )
        .execute(self.connection())
        .await?;
        let done = Done::new("session.created", "session", &new.id);
        let done = done
            .detail("methods", methods)
            .detail("ended", names(ended));
        Ok(done.detail("pending", new.pending))
    }

    /// An attempt that counted as failed was none.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn forgive(&mut self, attempt: &Attempt) -> Result<()> {
        sqlx::query!(
            "DELETE FROM sign_in_failures WHERE account = $1 AND source = $2",
            &attempt.account,
            attempt.source,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Puts a better hash of the same password on record.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn rehash(&mut self, of: PrincipalId, rehashed: &Rehashed) -> Result<()> {
        passwords::rehash(self.connection(), of, &rehashed.former, &rehashed.hash).await
    }

    /// Waits until nobody else begins a session of this person, or ends all of them.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn take_turn(&mut self, of: PrincipalId) -> Result<()> {
        take_turn(self.connection(), of).await
    }

    /// Ends the oldest sessions of a person until with this one there are as many as given.
    /// Of two that begin at once the second sees the first.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn end_surplus(&mut self, new: &Session, most: u32) -> Result<Vec<SessionId>> {
        self.take_turn(new.principal).await?;
        let ended = sqlx::query_scalar!(
            "UPDATE sessions SET revoked_at = $4 WHERE id IN (
                 SELECT s.id FROM sessions s
                 WHERE s.principal_id = $1 AND s.id <> $2 AND NOT s.pending
                     AND s.revoked_at IS NULL AND s.expires_at > $4
                 ORDER BY s.created_at DESC, s.id OFFSET $3)
             RETURNING id",
            new.principal.0,
            new.id.0,
            i64::from(most) - 1,
            new.created_at,
        )
        .fetch_all(self.connection())
        .await?;
        Ok(ended.into_iter().map(SessionId).collect())
    }

    /// Ends a session of this person (`session.revoked`).
    ///
    /// # Errors
    ///
    /// `NotFound`, also for one that has ended already and for somebody else's.
    pub async fn end_session(&mut self, of: PrincipalId, id: SessionId) -> Result<Done> {
        let now = self.now();
        let ended = sqlx::query!(
            "UPDATE sessions SET revoked_at = $3
             WHERE id = $1 AND principal_id = $2 AND revoked_at IS NULL",
            id.0,
            of.0,
            now,
        )
        .execute(self.connection())
        .await?;
        if ended.rows_affected() == 0 {
            return Err(StoreError::not_found("session", &id));
        }
        Ok(Done::new("session.revoked", "session", &id))
    }
}

/// Ends all sessions of a person; returns how many.
pub(super) async fn end_all(
    connection: &mut PgConnection,
    of: PrincipalId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    take_turn(connection, of).await?;
    let ended = sqlx::query_scalar!(
        "UPDATE sessions SET revoked_at = $2 WHERE principal_id = $1 AND revoked_at IS NULL
         RETURNING id",
        of.0,
        now,
    )
    .fetch_all(connection)
    .await?;
    Ok(ended.into_iter().map(SessionId).collect())
}

/// Ends the sessions of a person that this tenant vouches for.
pub(super) async fn end_vouched(
    connection: &mut PgConnection,
    of: PrincipalId,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    take_turn(connection, of).await?;
    let ended = sqlx::query_scalar!(
        "UPDATE sessions SET revoked_at = $3
         WHERE principal_id = $1 AND vouched_by = $2 AND revoked_at IS NULL RETURNING id",
        of.0,
        tenant.0,
        now,
    )
    .fetch_all(connection)
    .await?;
    Ok(ended.into_iter().map(SessionId).collect())
}

/// Beginning a session and ending all of a person take turns, until the end of the transaction:
/// what a session begins by is either what is on record when it does, or ended with the rest.
async fn take_turn(connection: &mut PgConnection, of: PrincipalId) -> Result<()> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('sessions of ' || $1::text, 0))",
        of.0.to_string(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Names of sessions, for an event.
pub(super) fn names(ended: &[SessionId]) -> Vec<String> {
    ended.iter().map(ToString::to_string).collect()
}
