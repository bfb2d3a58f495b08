//! API keys that exist.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, types::Uuid};

use super::author::Done;
use super::{Author, Db, Result, StoreError};
use crate::domain::{
    ApiKey, KeyId, Pepper, PrincipalId, PrincipalName, ProjectId, SecretHash, TenantId,
};

/// A key in a list.
#[derive(Clone, Debug, Serialize)]
pub struct ListedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Its holder: e-mail address, or `TENANT/NAME` of a service account.
    pub holder: String,
    /// Who made it, as `operator:ann`.
    pub created_by: String,
    /// The projects it is limited to, by path.
    pub project_paths: Option<Vec<String>>,
    /// Whether it awaits approval in a tenant that it is for.
    pub is_pending: bool,
}

/// One use of a credential, for the batched record of the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialUse<K> {
    /// Which.
    pub id: K,
    /// When.
    pub at: DateTime<Utc>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// For which route, if it is told apart.
    pub route: Option<Arc<str>>,
}

struct KeyRow {
    id: String,
    principal_id: Uuid,
    secret_hash: Vec<u8>,
    permissions: Option<Vec<String>>,
    projects: Option<Vec<Uuid>>,
    description: String,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    last_used_ip: Option<String>,
    last_used_route: Option<String>,
    networks: Option<Vec<String>>,
    rate: Option<String>,
    rotated_from: Option<String>,
    approved_for: Vec<Uuid>,
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self> {
        let hash = row.secret_hash.try_into();
        let ip = row.last_used_ip.map(|text| text.parse());
        let networks = row.networks.map(|all| {
            let all = all
                .iter()
                .map(|text| text.parse().map_err(StoreError::corrupt));
            all.collect::<Result<Vec<_>>>()
        });
        let rate = row.rate.map(|text| text.parse());
        let former = row.rotated_from.map(|text| text.parse());
        Ok(Self {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            principal: PrincipalId(row.principal_id),
            secret_hash: hash.map(SecretHash).map_err(|_| corrupt_length("hash"))?,
            permissions: row.permissions,
            projects: row
                .projects
                .map(|ids| ids.into_iter().map(ProjectId).collect()),
            description: row.description,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            last_used_ip: ip.transpose().map_err(StoreError::corrupt)?,
            last_used_route: row.last_used_route,
            networks: networks.transpose()?,
            rate: rate.transpose().map_err(StoreError::corrupt)?,
            rotated_from: former.transpose().map_err(StoreError::corrupt)?,
            approved_for: row.approved_for.into_iter().map(TenantId).collect(),
        })
    }
}

fn corrupt_length(what: &str) -> StoreError {
    StoreError::Corrupt(format!("a {what} that has not 32 bytes"))
}

impl Db {
    /// Revokes a key for good (`api_key.revoked`).
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict` if it is revoked already.
    pub async fn revoke_key(&self, author: &mut Author, id: &KeyId) -> Result<()> {
        let mut change = self.change(author).await?;
        let revoked = sqlx::query!(
            "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL
             RETURNING principal_id",
            id.as_str(),
            change.author.now(),
        )
        .fetch_optional(&mut *change.tx)
        .await?;
        let Some(revoked) = revoked else {
            return Err(match find(&mut change.tx, id).await? {
                Some(_) => StoreError::Conflict(format!("`{id}` is revoked already")),
                None => StoreError::not_found("API key", id),
            });
        };
        let done = Done::new("api_key.revoked", "api_key", id)
            .detail("principal_id", revoked.principal_id.to_string());
        change.commit(done).await
    }

    /// The key of this id, revoked and expired ones included.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn find_key(&self, id: &KeyId) -> Result<Option<ApiKey>> {
        find(&mut *self.read().await?, id).await
    }

    /// Keys, of one holder or of all, the newest first; or only those that could be used and have
    /// not been since a moment, nor were made after it.
    ///
    /// # Errors
    ///
    /// `NotFound` for the holder.
    pub async fn keys(
        &self,
        of: Option<&PrincipalName>,
        unused_since: Option<DateTime<Utc>>,
    ) -> Result<Vec<ListedKey>> {
        let only = match of {
            Some(name) => Some(self.principal(name).await?.id.0),
            None => None,
        };
        let rows = sqlx::query!(
            r#"SELECT k.id, k.principal_id, k.secret_hash, k.permissions, k.projects, k.description,
                   k.expires_at, k.revoked_at, k.created_at, k.created_by,
                   u.last_used_at AS "last_used_at?", host(u.last_used_ip) AS last_used_ip,
                   coalesce(p.email, t.slug || '/' || p.name) AS "holder!",
                   CASE WHEN k.projects IS NOT NULL THEN
                       ARRAY(SELECT pt.slug || '/' || pp.slug
                             FROM projects pp JOIN tenants pt ON pt.id = pp.tenant_id
                             WHERE pp.id = ANY (k.projects) ORDER BY 1)
                   END AS project_paths,
                   u.last_used_route AS "last_used_route?", k.networks::text[] AS networks, k.rate,
                   k.rotated_from, k.approved_for, key_is_pending(k) AS "is_pending!"
               FROM api_keys k
               JOIN principals p ON p.id = k.principal_id
               LEFT JOIN tenants t ON t.id = p.tenant_id
               LEFT JOIN api_key_usage u ON u.key_id = k.id
               WHERE ($1::uuid IS NULL OR k.principal_id = $1)
                   AND ($2::timestamptz IS NULL
                       OR coalesce(u.last_used_at, k.created_at) < $2 AND k.revoked_at IS NULL
                           AND (k.expires_at IS NULL OR k.expires_at > now()))
               ORDER BY k.created_at DESC, k.id"#,
            only,
            unused_since,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        let listed = rows.into_iter().map(|row| {
            let key = KeyRow {
                id: row.id,
                principal_id: row.principal_id,
                secret_hash: row.secret_hash,
                permissions: row.permissions,
                projects: row.projects,
                description: row.description,
                expires_at: row.expires_at,
                revoked_at: row.revoked_at,
                created_at: row.created_at,
                last_used_at: row.last_used_at,
                last_used_ip: row.last_used_ip,
                last_used_route: row.last_used_route,
                networks: row.networks,
                rate: row.rate,
                rotated_from: row.rotated_from,
                approved_for: row.approved_for,
            };
            Ok(ListedKey {
                key: key.try_into()?,
                holder: row.holder,
                created_by: row.created_by,
                project_paths: row.project_paths,
                is_pending: row.is_pending,
            })
        });
        listed.collect()
    }

    /// Records the last use of keys: one statement a batch. A use older than the one on
    /// record changes nothing, so replicas may report in any order.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn record_key_use(&self, uses: &[CredentialUse<KeyId>]) -> Result<()> {
        let keys: Vec<String> = uses.iter().map(|each| each.id.to_string()).collect();
        let times: Vec<DateTime<Utc>> = uses.iter().map(|each| each.at).collect();
        let ips: Vec<Option<String>> = uses
            .iter()
            .map(|each| each.ip.map(|ip| ip.to_string()))
            .collect();
        let routes: Vec<Option<String>> = uses
            .iter()
            .map(|each| each.route.as_deref().map(str::to_owned))
            .collect();
        let mut tx = self.begin().await?;
        sqlx::query!(
            r#"INSERT INTO api_key_usage AS u (key_id, last_used_at, last_used_ip, last_used_route)
               SELECT DISTINCT ON (given.key) given.key, given.at, given.ip::inet, given.route
               FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[])
                   AS given (key, at, ip, route)
               JOIN api_keys k ON k.id = given.key
               ORDER BY given.key, given.at DESC
               ON CONFLICT (key_id) DO UPDATE
               SET last_used_at = excluded.last_used_at, last_used_ip = excluded.last_used_ip,
                   last_used_route = excluded.last_used_route
               WHERE u.last_used_at < excluded.last_used_at"#,
            &keys,
            &times,
            &ips as &[Option<String>],
            &routes as &[Option<String>],
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The installation's pepper.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn pepper(&self) -> Result<Pepper> {
        let row = sqlx::query!("SELECT pepper FROM key_pepper")
            .fetch_one(&mut *self.read().await?)
            .await?;
        let bytes = row.pepper.try_into();
        bytes.map(Pepper::new).map_err(|_| corrupt_length("pepper"))
    }
}

pub(super) async fn find(connection: &mut PgConnection, id: &KeyId) -> Result<Option<ApiKey>> {
    let row = sqlx::query_as!(
        KeyRow,
        r#"SELECT k.id, k.principal_id, k.secret_hash, k.permissions, k.projects, k.description,
               k.expires_at, k.revoked_at, k.created_at,
               u.last_used_at AS "last_used_at?", host(u.last_used_ip) AS last_used_ip,
               u.last_used_route AS "last_used_route?", k.networks::text[] AS networks, k.rate,
               k.rotated_from, k.approved_for
           FROM api_keys k LEFT JOIN api_key_usage u ON u.key_id = k.id
           WHERE k.id = $1"#,
        id.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(ApiKey::try_from).transpose()
}
