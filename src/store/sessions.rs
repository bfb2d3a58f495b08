//! Sessions of people.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Uuid;

use super::keys::CredentialUse;
use super::{Db, Result, StoreError};
use crate::domain::{Method, PrincipalId, SecretHash, Session, SessionId};

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
                   s.methods, s.revoked_at,
                   coalesce(a.last_active_at, s.created_at) AS "last_active_at!"
               FROM sessions s LEFT JOIN session_activity a ON a.session_id = s.id
               WHERE s.id = $1"#,
            id.0,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        row.map(Session::try_from).transpose()
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
