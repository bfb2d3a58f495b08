//! What becomes of keys: others take their place, tenants approve them, all are revoked at once.

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use sqlx::PgConnection;
use sqlx::types::{Json, Uuid};

use super::author::Done;
use super::keys::find;
use super::principals::principal;
use super::tenants::tenant;
use super::{Author, Db, Result, StoreError};
use crate::domain::{
    ApiKey, KeyId, KeyRules, KeyToken, Pepper, PrincipalId, PrincipalName, ProjectId, Slug,
    TenantId,
};

impl Db {
    /// Makes a key that takes another one's place, which works until then (`api_key.rotated`).
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict` for one that works no more or has been rotated already.
    pub async fn rotate_key(
        &self,
        author: &mut Author,
        id: &KeyId,
        until: DateTime<Utc>,
    ) -> Result<(KeyToken, ApiKey)> {
        let pepper = self.pepper().await?;
        let mut change = self.change(author).await?;
        let (now, label) = (change.author.now(), change.author.label());
        let moment = (now, until);
        let with = (&mut change.author.rng, &pepper, &*label);
        let (token, key) = rotate(&mut change.tx, id, moment, with).await?;
        let done = rotated(id, &key, until);
        change.commit(done).await?;
        Ok((token, key))
    }

    /// Revokes all keys of a principal (`api_key.all_revoked`); says how many.
    ///
    /// # Errors
    ///
    /// `NotFound` for the holder.
    pub async fn revoke_keys_of(&self, author: &mut Author, who: &PrincipalName) -> Result<u64> {
        let mut change = self.change(author).await?;
        let holder = principal(&mut change.tx, who).await?;
        let now = change.author.now();
        let revoked = revoke_of(&mut change.tx, holder.id, now).await?;
        let done = Done::new("api_key.all_revoked", "principal", &holder.id)
            .detail("principal", holder.label())
            .detail("keys", revoked);
        change.commit(done).await?;
        Ok(revoked)
    }

    /// Revokes all keys that are a tenant's, and lets none of before open anything there
    /// (`api_key.all_revoked`); says how many were revoked.
    ///
    /// # Errors
    ///
    /// `NotFound` for the tenant.
    pub async fn revoke_keys_in(&self, author: &mut Author, slug: &Slug) -> Result<u64> {
        let mut change = self.change(author).await?;
        let tenant = tenant(&mut change.tx, slug).await?;
        let now = change.author.now();
        let revoked = revoke_in(&mut change.tx, tenant.id, now).await?;
        let done = all_revoked(tenant.id, &tenant.slug, revoked);
        change.commit(done).await?;
        Ok(revoked)
    }

    /// Approves a key for a tenant (`api_key.approved`).
    ///
    /// # Errors
    ///
    /// `NotFound` for the tenant, and for a key that is not for it; `Conflict` if it is approved.
    pub async fn approve_key(&self, author: &mut Author, slug: &Slug, id: &KeyId) -> Result<()> {
        let mut change = self.change(author).await?;
        let tenant = tenant(&mut change.tx, slug).await?;
        let holder = approve(&mut change.tx, tenant.id, id).await?;
        let done = approved(tenant.id, &tenant.slug, (id, holder));
        change.commit(done).await
    }
}

pub(super) fn rotated(former: &KeyId, key: &ApiKey, until: DateTime<Utc>) -> Done {
    Done::new("api_key.rotated", "api_key", former)
        .detail("principal_id", key.principal.to_string())
        .detail("by", key.id.to_string())
        .detail("until", until.to_rfc3339())
}

pub(super) fn all_revoked(id: TenantId, slug: &Slug, revoked: u64) -> Done {
    Done::new("api_key.all_revoked", "tenant", &id)
        .tenant(id, slug)
        .detail("keys", revoked)
}

pub(super) fn approved(id: TenantId, slug: &Slug, (key, holder): (&KeyId, PrincipalId)) -> Done {
    Done::new("api_key.approved", "api_key", key)
        .tenant(id, slug)
        .detail("principal_id", holder.to_string())
}

/// Stores a new key.
pub(super) async fn insert(
    connection: &mut PgConnection,
    key: &ApiKey,
    created_by: &str,
) -> Result<()> {
    let projects: Option<Vec<Uuid>> = key
        .projects
        .as_ref()
        .map(|ids| ids.iter().map(|ProjectId(id)| *id).collect());
    let networks: Option<Vec<String>> = key
        .networks
        .as_ref()
        .map(|all| all.iter().map(ToString::to_string).collect());
    let approved: Vec<Uuid> = key.approved_for.iter().map(|TenantId(id)| *id).collect();
    sqlx::query!(
        "INSERT INTO api_keys (id, principal_id, secret_hash, permissions, projects, description,
             expires_at, created_at, created_by, networks, rate, rotated_from, approved_for)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ($10::text[])::cidr[], $11, $12, $13)",
        key.id.as_str(),
        key.principal.0,
        &key.secret_hash.0[..],
        key.permissions.as_deref(),
        projects.as_deref(),
        key.description,
        key.expires_at,
        key.created_at,
        created_by,
        networks.as_deref(),
        key.rate.map(|rate| rate.to_string()),
        key.rotated_from.as_ref().map(KeyId::as_str),
        &approved,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When a new key ends, by the rules of the tenants that it is for.
///
/// # Errors
///
/// `Refused` for one that is to end later than one of them lets it.
pub(super) async fn end_of(
    connection: &mut PgConnection,
    (holder, projects): (PrincipalId, Option<&[ProjectId]>),
    wanted: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let projects: Option<Vec<Uuid>> =
        projects.map(|ids| ids.iter().map(|ProjectId(id)| *id).collect());
    let rules = sqlx::query_scalar!(
        r#"SELECT key_rules AS "rules!: Json<KeyRules>" FROM tenants
           WHERE key_rules IS NOT NULL AND id IN (SELECT tenants_of_key($1, $2))"#,
        holder.0,
        projects.as_deref(),
    )
    .fetch_all(connection)
    .await?;
    let rules: Vec<KeyRules> = rules.into_iter().map(|Json(rules)| rules).collect();
    let end = KeyRules::end_of(rules.iter(), wanted, now);
    end.map_err(|error| StoreError::Refused(error.to_string()))
}

/// A key like another one, which ends at that moment at the latest.
pub(super) async fn rotate(
    connection: &mut PgConnection,
    former: &KeyId,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
    (rng, pepper, created_by): (&mut StdRng, &Pepper, &str),
) -> Result<(KeyToken, ApiKey)> {
    let key = find(connection, former).await?;
    let key = key.ok_or_else(|| StoreError::not_found("API key", former))?;
    if key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now) {
        let why = format!("`{former}` works no more");
        return Err(StoreError::Conflict(why));
    }
    // As long again as the other one was to last.
    let wanted = key.expires_at.map(|end| now + (end - key.created_at));
    let limits = (key.principal, key.projects.as_deref());
    let expires_at = end_of(connection, limits, wanted, now).await?;
    let token = KeyToken::generate(rng);
    let new = ApiKey {
        id: token.id().clone(),
        secret_hash: pepper.hash(token.secret()),
        rotated_from: Some(former.clone()),
        expires_at,
        created_at: now,
        last_used_at: None,
        last_used_ip: None,
        last_used_route: None,
        ..key
    };
    insert(connection, &new, created_by)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(_) => {
                StoreError::Conflict(format!("`{former}` has been rotated already"))
            }
            other => other,
        })?;
    sqlx::query!(
        "UPDATE api_keys SET expires_at = least(expires_at, $2) WHERE id = $1",
        former.as_str(),
        until,
    )
    .execute(connection)
    .await?;
    Ok((token, new))
}

pub(super) async fn revoke_of(
    connection: &mut PgConnection,
    who: PrincipalId,
    now: DateTime<Utc>,
) -> Result<u64> {
    let revoked = sqlx::query!(
        "UPDATE api_keys SET revoked_at = $2 WHERE principal_id = $1 AND revoked_at IS NULL",
        who.0,
        now,
    )
    .execute(connection)
    .await?;
    Ok(revoked.rows_affected())
}

/// Those of its service accounts, and those that are for its projects only, as far as the claims
/// let see them; what else there is opens nothing there any more.
pub(super) async fn revoke_in(
    connection: &mut PgConnection,
    of: TenantId,
    now: DateTime<Utc>,
) -> Result<u64> {
    let revoked = sqlx::query!(
        "UPDATE api_keys SET revoked_at = $2
         WHERE revoked_at IS NULL AND (tenant_id = $1
             OR projects <@ ARRAY(SELECT id FROM projects WHERE tenant_id = $1))",
        of.0,
        now,
    )
    .execute(&mut *connection)
    .await?;
    let rules = sqlx::query_scalar!(
        r#"SELECT key_rules AS "rules: Json<KeyRules>" FROM tenants WHERE id = $1 FOR UPDATE"#,
        of.0,
    )
    .fetch_one(&mut *connection)
    .await?;
    let rules = KeyRules {
        not_before: Some(now),
        ..rules.map(|Json(rules)| rules).unwrap_or_default()
    };
    sqlx::query!(
        "UPDATE tenants SET key_rules = $2 WHERE id = $1",
        of.0,
        Json(rules) as Json<KeyRules>,
    )
    .execute(connection)
    .await?;
    Ok(revoked.rows_affected())
}

/// Says whose key it is.
pub(super) async fn approve(
    connection: &mut PgConnection,
    of: TenantId,
    id: &KeyId,
) -> Result<PrincipalId> {
    let found = sqlx::query!(
        r#"SELECT principal_id, $2 = ANY (approved_for) AS "approved!" FROM api_keys
           WHERE id = $1 AND revoked_at IS NULL
               AND $2 IN (SELECT tenants_of_key(principal_id, projects))
           FOR UPDATE"#,
        id.as_str(),
        of.0,
    )
    .fetch_optional(&mut *connection)
    .await?
    .ok_or_else(|| StoreError::not_found("API key", id))?;
    if found.approved {
        return Err(StoreError::Conflict(format!("`{id}` is approved already")));
    }
    sqlx::query!(
        "UPDATE api_keys SET approved_for = array_append(approved_for, $2) WHERE id = $1",
        id.as_str(),
        of.0,
    )
    .execute(connection)
    .await?;
    Ok(PrincipalId(found.principal_id))
}
