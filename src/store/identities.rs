//! People whom another service vouches for.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::api::ApiTx;
use super::principals;
use super::{Db, Result};
use crate::domain::{BindingId, Principal, PrincipalId, Slug, TenantId};

/// Who a provider's subject is here.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who.
    pub principal: PrincipalId,
    /// Their address.
    pub email: String,
    /// Whether they may act at all.
    pub disabled: bool,
    /// Who the provider was when it was linked.
    pub issuer: String,
}

/// What is known of somebody's account who is to be linked by their address.
#[derive(Clone, Copy, Debug)]
pub struct Linkable {
    /// Who.
    pub principal: PrincipalId,
    /// Whether they may act at all.
    pub disabled: bool,
    /// Whether they are invited to the tenant and to nothing else, and nobody has ever signed in
    /// as them, or could.
    pub is_invited: bool,
    /// Whether a provider of another tenant vouches for them, or they have a part in the platform:
    /// that is not a tenant's to take over.
    pub is_others: bool,
}

/// A role that somebody is to have by a provider's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRole {
    /// Its name.
    pub role: String,
    /// In which project; `None`: in the tenant.
    pub project: Option<Slug>,
}

/// By whose word roles are held, and where.
#[derive(Clone, Copy, Debug)]
pub struct GrantedBy<'a> {
    /// The provider.
    pub provider: &'a Slug,
    /// Its tenant.
    pub tenant: TenantId,
}

impl Db {
    /// Who this is, if they were here before.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn identity(&self, provider: &Slug, subject: &str) -> Result<Option<Identity>> {
        let row = sqlx::query!(
            r#"SELECT p.id, p.email AS "email!", p.disabled_at IS NOT NULL AS "disabled!", i.issuer
               FROM identities i JOIN principals p ON p.id = i.principal_id
               WHERE i.provider = $1 AND i.subject = $2"#,
            provider.as_str(),
            subject,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(row.map(|row| Identity {
            principal: PrincipalId(row.id),
            email: row.email,
            disabled: row.disabled,
            issuer: row.issuer,
        }))
    }

    /// The providers that somebody has come from.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn providers_of(&self, of: PrincipalId) -> Result<Vec<String>> {
        let names = sqlx::query_scalar!(
            "SELECT DISTINCT provider FROM identities WHERE principal_id = $1 ORDER BY provider",
            of.0,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        Ok(names)
    }

    /// Which bindings of somebody providers have made, and which ones.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn given_by_providers(&self, of: PrincipalId) -> Result<HashMap<BindingId, String>> {
        let rows = sqlx::query!(
            r#"SELECT id, provider AS "provider!" FROM bindings
               WHERE principal_id = $1 AND provider IS NOT NULL"#,
            of.0,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        let rows = rows.into_iter();
        Ok(rows.map(|row| (BindingId(row.id), row.provider)).collect())
    }

    /// What is known of the account of this address; with the tenant's own providers.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn linkable(
        &self,
        email: &str,
        (tenant, ours): (TenantId, &[String]),
    ) -> Result<Option<Linkable>> {
        let row = sqlx::query!(
            r#"SELECT p.id, (p.disabled_at IS NOT NULL
                       OR EXISTS (SELECT FROM bindings b WHERE b.principal_id = p.id
                           AND b.tenant_id = $2 AND b.effect = 'deny' AND b.provider = 'scim')
                       OR EXISTS (SELECT FROM scim_resources r WHERE r.principal_id = p.id
                           AND r.tenant_id = $2 AND NOT r.document @> '{"active": true}'))
                       AS "disabled!",
                   (EXISTS (SELECT FROM passwords w WHERE w.principal_id = p.id)
                       OR EXISTS (SELECT FROM passkeys k WHERE k.principal_id = p.id)
                       OR EXISTS (SELECT FROM identities i WHERE i.principal_id = p.id)
                       OR EXISTS (SELECT FROM api_keys k WHERE k.principal_id = p.id)
                       OR EXISTS (SELECT FROM projects o WHERE o.owner_id = p.id)) AS "claimed!",
                   (EXISTS (SELECT FROM bindings b WHERE b.principal_id = p.id AND b.tenant_id = $2)
                       OR EXISTS (SELECT FROM scim_resources r WHERE r.principal_id = p.id
                           AND r.tenant_id = $2)) AS "member!",
                   (EXISTS (SELECT FROM bindings b WHERE b.principal_id = p.id
                           AND b.effect = 'allow' AND b.tenant_id IS DISTINCT FROM $2)
                       OR EXISTS (SELECT FROM scim_resources r WHERE r.principal_id = p.id
                           AND r.tenant_id <> $2 AND r.document @> '{"active": true}')) AS "elsewhere!",
                   (EXISTS (SELECT FROM identities i WHERE i.principal_id = p.id
                           AND i.provider <> ALL($3))
                       OR EXISTS (SELECT FROM bindings b WHERE b.principal_id = p.id
                           AND b.effect = 'allow' AND b.tenant_id IS NULL)) AS "others!"
               FROM principals p WHERE p.kind = 'user' AND p.email = $1"#,
            email,
            tenant.0,
            ours,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(row.map(|row| Linkable {
            principal: PrincipalId(row.id),
            disabled: row.disabled,
            is_invited: row.member && !row.elsewhere && !row.claimed,
            is_others: row.others,
        }))
    }
}

impl ApiTx {
    /// Makes an account for somebody new, by the word of a tenant's provider or directory.
    ///
    /// # Errors
    ///
    /// `Conflict` if the address is taken.
    pub async fn provision(
        &mut self,
        email: &str,
        name: &str,
        made_for: TenantId,
    ) -> Result<Principal> {
        let user = Principal {
            id: PrincipalId(self.id()),
            kind: crate::domain::PrincipalKind::User,
            email: Some(email.to_owned()),
            name: name.to_owned(),
            tenant: None,
            disabled: false,
        };
        let now = self.now();
        principals::insert(self.connection(), &user, now).await?;
        sqlx::query!(
            "UPDATE principals SET made_for = $2 WHERE id = $1",
            user.id.0,
            made_for.0,
        )
        .execute(self.connection())
        .await?;
        Ok(user)
    }

    /// Records that a provider's subject is this person.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is somebody already.
    pub async fn link_identity(
        &mut self,
        provider: &Slug,
        (issuer, subject): (&str, &str),
        to: PrincipalId,
    ) -> Result<()> {
        let now = self.now();
        sqlx::query!(
            "INSERT INTO identities (provider, subject, issuer, principal_id, linked_at, last_at)
             VALUES ($1, $2, $3, $4, $5, $5)",
            provider.as_str(),
            subject,
            issuer,
            to.0,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Records that somebody has come by this identity; false if it is theirs no more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn use_identity(
        &mut self,
        provider: &Slug,
        subject: &str,
        of: PrincipalId,
    ) -> Result<bool> {
        let now = self.now();
        let used = sqlx::query!(
            "UPDATE identities SET last_at = $4
             WHERE provider = $1 AND subject = $2 AND principal_id = $3",
            provider.as_str(),
            subject,
            of.0,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(used.rows_affected() == 1)
    }

    /// Gives somebody exactly these roles by a provider's word; what they have by hand stays.
    /// Says what was given and taken, and which of them there are not.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn grant_by_provider(
        &mut self,
        of: PrincipalId,
        by: GrantedBy<'_>,
        wanted: &[WantedRole],
    ) -> Result<Value> {
        let now = self.now();
        let ids: Vec<_> = wanted.iter().map(|_| self.id()).collect();
        grant_by_provider(self.connection(), &ids, (of, by, now), wanted).await
    }
}

/// See [`ApiTx::grant_by_provider`]; with an id for each role, if it is new.
pub(super) async fn grant_by_provider(
    connection: &mut PgConnection,
    ids: &[Uuid],
    (of, by, now): (PrincipalId, GrantedBy<'_>, DateTime<Utc>),
    wanted: &[WantedRole],
) -> Result<Value> {
    let mut kept: Vec<Uuid> = Vec::new();
    let (mut given, mut unknown) = (Vec::new(), Vec::new());
    for (each, id) in wanted.iter().zip(ids) {
        match give(connection, (of, by, *id, now), each).await? {
            Some((binding, is_new)) => {
                kept.push(binding);
                given.extend(is_new.then(|| each.to_string()));
            }
            None => unknown.push(each.to_string()),
        }
    }
    let taken = sqlx::query_scalar!(
        r#"WITH taken AS (
               DELETE FROM bindings WHERE principal_id = $1 AND provider = $2 AND tenant_id = $4
                   AND id <> ALL($3)
               RETURNING role_id, project_id)
           SELECT CASE WHEN p.slug IS NULL THEN r.name ELSE r.name || '@' || p.slug END AS "taken!"
           FROM taken t JOIN roles r ON r.id = t.role_id LEFT JOIN projects p ON p.id = t.project_id
           ORDER BY 1"#,
        of.0,
        by.provider.as_str(),
        &kept,
        by.tenant.0,
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(serde_json::json!({ "given": given, "taken": taken, "unknown": unknown }))
}

/// The binding, and whether it is new; `None` if there is no such role or project.
async fn give(
    connection: &mut PgConnection,
    (of, by, id, now): (PrincipalId, GrantedBy<'_>, Uuid, DateTime<Utc>),
    wanted: &WantedRole,
) -> Result<Option<(Uuid, bool)>> {
    let project = wanted.project.as_ref().map(Slug::as_str);
    let given = sqlx::query!(
        r#"WITH place AS (
               SELECT r.id AS role_id, r.scope, p.id AS project_id
               FROM roles r LEFT JOIN projects p ON p.tenant_id = $4 AND p.slug = $6
               WHERE r.name = $5 AND (r.tenant_id IS NULL OR r.tenant_id = $4)
                   AND r.scope = CASE WHEN $6::text IS NULL THEN 'tenant' ELSE 'project' END
                   AND ($6::text IS NULL) = (p.id IS NULL)
               ORDER BY r.tenant_id NULLS LAST LIMIT 1),
           there AS (
               SELECT b.id FROM bindings b JOIN place USING (role_id)
               WHERE b.principal_id = $2 AND b.provider = $3 AND b.tenant_id = $4
                   AND b.effect = 'allow'
                   AND b.project_id IS NOT DISTINCT FROM place.project_id),
           given AS (
               INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id,
                   effect, provider, created_at)
               SELECT $1, $2, role_id, scope, $4, project_id, 'allow', $3, $7 FROM place
               WHERE NOT EXISTS (SELECT FROM there)
               RETURNING id)
           SELECT id AS "id!", false AS "is_new!" FROM there
           UNION ALL SELECT id, true FROM given"#,
        id,
        of.0,
        by.provider.as_str(),
        by.tenant.0,
        wanted.role,
        project,
        now,
    )
    .fetch_optional(connection)
    .await?;
    Ok(given.map(|row| (row.id, row.is_new)))
}

impl std::fmt::Display for WantedRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.project {
            Some(project) => write!(f, "{}@{project}", self.role),
            None => f.write_str(&self.role),
        }
    }
}
