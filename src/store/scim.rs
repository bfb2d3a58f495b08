//! What the directory of a tenant says of its people and groups.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::types::Uuid;

use super::api::ApiTx;
use super::{Db, GrantedBy, Result, StoreError, WantedRole, sessions};
use crate::domain::{PrincipalId, Slug, TenantId};

/// By this name roles are held whose giver is the directory: no provider has it.
pub const DIRECTORY: &str = "scim";

/// A user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScimKind {
    /// Somebody.
    User,
    /// Several.
    Group,
}

impl ScimKind {
    /// As the standard names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// A user or a group, as the directory has it.
#[derive(Clone, Debug)]
pub struct ScimResource {
    /// Its name here.
    pub id: Uuid,
    /// Its attributes, in their canonical form.
    pub document: Value,
    /// Of a user: their account.
    pub principal: Option<PrincipalId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// An account, as far as a directory may know.
#[derive(Clone, Copy, Debug)]
pub struct ScimAccount {
    /// Which one.
    pub id: PrincipalId,
    /// Whether it belongs to anything but this tenant.
    pub is_elsewhere: bool,
    /// Whether it is there by the word of this very tenant.
    pub is_ours: bool,
    /// Whether it may act at all.
    pub is_disabled: bool,
}

struct Row {
    id: Uuid,
    document: Value,
    principal_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for ScimResource {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            document: row.document,
            principal: row.principal_id.map(PrincipalId),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Db {
    /// All of a kind, the oldest first; with a name those of this name only, whatever its case.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_resources(
        &self,
        tenant: TenantId,
        kind: ScimKind,
        name: Option<&str>,
    ) -> Result<Vec<ScimResource>> {
        let rows = sqlx::query_as!(
            Row,
            "SELECT id, document, principal_id, created_at, updated_at
             FROM scim_resources
             WHERE tenant_id = $1 AND kind = $2 AND ($3::text IS NULL OR lower(name) = lower($3))
             ORDER BY created_at, id",
            tenant.0,
            kind.as_str(),
            name,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        Ok(rows.into_iter().map(ScimResource::from).collect())
    }

    /// One.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_resource(
        &self,
        tenant: TenantId,
        kind: ScimKind,
        id: Uuid,
    ) -> Result<Option<ScimResource>> {
        let row = sqlx::query_as!(
            Row,
            "SELECT id, document, principal_id, created_at, updated_at
             FROM scim_resources WHERE tenant_id = $1 AND kind = $2 AND id = $3",
            tenant.0,
            kind.as_str(),
            id,
        )
        .fetch_optional(&mut *self.read().await?)
        .await?;
        Ok(row.map(ScimResource::from))
    }

    /// The groups of somebody: their ids and names.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_groups_of(
        &self,
        tenant: TenantId,
        user: Uuid,
    ) -> Result<Vec<(Uuid, String)>> {
        let rows = sqlx::query!(
            "SELECT id, name FROM scim_resources
             WHERE tenant_id = $1 AND kind = 'Group' AND document @> $2 ORDER BY name, id",
            tenant.0,
            member(user),
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
    }
}

impl ApiTx {
    /// Locks one that is to be changed.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_locked(
        &mut self,
        tenant: TenantId,
        kind: ScimKind,
        id: Uuid,
    ) -> Result<Option<ScimResource>> {
        let row = sqlx::query_as!(
            Row,
            "SELECT id, document, principal_id, created_at, updated_at
             FROM scim_resources WHERE tenant_id = $1 AND kind = $2 AND id = $3 FOR UPDATE",
            tenant.0,
            kind.as_str(),
            id,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(ScimResource::from))
    }

    /// Makes one; `Conflict` if there is a user of that name.
    ///
    /// # Errors
    ///
    /// `Conflict`, `Unavailable`.
    pub async fn scim_insert(
        &mut self,
        tenant: TenantId,
        kind: ScimKind,
        (name, external_id): (&str, Option<&str>),
        document: Value,
    ) -> Result<ScimResource> {
        let (id, now) = (self.id(), self.now());
        sqlx::query!(
            "INSERT INTO scim_resources (id, tenant_id, kind, name, external_id, document, created_at,
                 updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
            id,
            tenant.0,
            kind.as_str(),
            name,
            external_id,
            document,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(ScimResource {
            id,
            document,
            principal: None,
            created_at: now,
            updated_at: now,
        })
    }

    /// Keeps what has changed of one.
    ///
    /// # Errors
    ///
    /// `Conflict`, `Unavailable`.
    pub async fn scim_update(
        &mut self,
        changed: &mut ScimResource,
        (name, external_id): (&str, Option<&str>),
    ) -> Result<()> {
        changed.updated_at = self.now();
        sqlx::query!(
            "UPDATE scim_resources SET name = $2, external_id = $3, document = $4, principal_id = $5,
                 updated_at = $6
             WHERE id = $1",
            changed.id,
            name,
            external_id,
            changed.document,
            changed.principal.map(|id| id.0),
            changed.updated_at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Removes one, and from all groups; says who were in it, if it was a group.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_delete(&mut self, tenant: TenantId, id: Uuid) -> Result<()> {
        sqlx::query!(
            "UPDATE scim_resources SET document = jsonb_set(document, '{members}', coalesce((
                 SELECT jsonb_agg(m) FROM jsonb_array_elements(document->'members') m
                 WHERE m->>'value' <> $2::text), '[]'))
             WHERE tenant_id = $1 AND kind = 'Group' AND document @> $3",
            tenant.0,
            id.to_string(),
            member(id),
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "DELETE FROM scim_resources WHERE tenant_id = $1 AND id = $2",
            tenant.0,
            id,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Of these users of the tenant those that there are, with their accounts.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_users(
        &mut self,
        tenant: TenantId,
        ids: &[Uuid],
    ) -> Result<Vec<(Uuid, Option<PrincipalId>)>> {
        let rows = sqlx::query!(
            "SELECT id, principal_id FROM scim_resources
             WHERE tenant_id = $1 AND kind = 'User' AND id = ANY($2) ORDER BY id",
            tenant.0,
            ids,
        )
        .fetch_all(self.connection())
        .await?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|row| (row.id, row.principal_id.map(PrincipalId)))
            .collect())
    }

    /// The names of somebody's groups.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_group_names(&mut self, tenant: TenantId, user: Uuid) -> Result<Vec<String>> {
        let names = sqlx::query_scalar!(
            "SELECT name FROM scim_resources
             WHERE tenant_id = $1 AND kind = 'Group' AND document @> $2 ORDER BY name",
            tenant.0,
            member(user),
        )
        .fetch_all(self.connection())
        .await?;
        Ok(names)
    }

    /// What is known of an account.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_account(
        &mut self,
        (tenant, providers): (TenantId, &[String]),
        id: PrincipalId,
    ) -> Result<Option<ScimAccount>> {
        self.account_where((tenant, providers), Some(id), None)
            .await
    }

    /// What is known of the account of this address.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_account_of(
        &mut self,
        (tenant, providers): (TenantId, &[String]),
        email: &str,
    ) -> Result<Option<ScimAccount>> {
        self.account_where((tenant, providers), None, Some(email))
            .await
    }

    async fn account_where(
        &mut self,
        (tenant, providers): (TenantId, &[String]),
        id: Option<PrincipalId>,
        email: Option<&str>,
    ) -> Result<Option<ScimAccount>> {
        let row = sqlx::query!(
            r#"SELECT p.id, p.disabled_at IS NOT NULL AS "disabled!",
                   (EXISTS (SELECT FROM bindings b WHERE b.principal_id = p.id
                           AND b.effect = 'allow' AND b.tenant_id IS DISTINCT FROM $1)
                       OR EXISTS (SELECT FROM projects o WHERE o.owner_id = p.id AND o.tenant_id <> $1)
                       OR EXISTS (SELECT FROM scim_resources r WHERE r.principal_id = p.id
                           AND r.tenant_id <> $1 AND r.document @> '{"active": true}')
                       OR EXISTS (SELECT FROM identities i WHERE i.principal_id = p.id
                           AND i.provider <> ALL($4) AND NOT EXISTS (SELECT FROM providers v
                               WHERE v.name = i.provider AND v.tenant_id = $1)))
                       AS "elsewhere!",
                   coalesce(p.made_for = $1, false) AS "ours!"
               FROM principals p
               WHERE p.kind = 'user' AND (p.id = $2 OR p.email = $3) FOR UPDATE OF p"#,
            tenant.0,
            id.map(|id| id.0),
            email,
            providers,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| ScimAccount {
            id: PrincipalId(row.id),
            is_elsewhere: row.elsewhere,
            is_ours: row.ours,
            is_disabled: row.disabled,
        }))
    }

    /// Disables an account because the directory has let its holder go.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_disable(&mut self, id: PrincipalId, tenant: TenantId) -> Result<()> {
        let now = self.now();
        sqlx::query!(
            "UPDATE principals SET disabled_at = $3, disabled_for = $2
             WHERE id = $1 AND disabled_at IS NULL",
            id.0,
            tenant.0,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Enables an account that was disabled because this very directory had let its holder go.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_enable(&mut self, id: PrincipalId, tenant: TenantId) -> Result<()> {
        sqlx::query!(
            "UPDATE principals SET disabled_at = NULL, disabled_for = NULL
             WHERE id = $1 AND disabled_for = $2",
            id.0,
            tenant.0,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Gives exactly these roles by the directory's word.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_grant(
        &mut self,
        of: PrincipalId,
        tenant: TenantId,
        wanted: &[WantedRole],
    ) -> Result<Value> {
        let provider = &DIRECTORY.parse::<Slug>().map_err(|error| {
            StoreError::Corrupt(format!("`{DIRECTORY}` is no short name: {error}"))
        })?;
        self.grant_by_provider(of, GrantedBy { provider, tenant }, wanted)
            .await
    }

    /// Takes all that somebody holds in a tenant, by whose word ever, and closes it to them, since
    /// they may own projects in it; the tenant's providers do not know them any more. Their sessions
    /// and keys end; of somebody who is elsewhere, too, only the sessions that the tenant vouches
    /// for, and the keys that are for it and nothing else: what they do elsewhere is no business of
    /// its directory. Says how many ended.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn scim_shut_out(
        &mut self,
        of: PrincipalId,
        tenant: TenantId,
        is_elsewhere: bool,
        providers: &[String],
    ) -> Result<Value> {
        let (id, now) = (self.id(), self.now());
        sqlx::query!(
            "DELETE FROM identities i WHERE i.principal_id = $1
                 AND (i.provider = ANY($2) OR EXISTS (SELECT FROM providers v
                     WHERE v.name = i.provider AND v.tenant_id = $3))",
            of.0,
            providers,
            tenant.0,
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "DELETE FROM bindings WHERE principal_id = $1 AND tenant_id = $2",
            of.0,
            tenant.0,
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, effect, provider,
                 created_at)
             SELECT $1, $2, id, 'tenant', $3, 'deny', $4, $5 FROM roles
             WHERE name = 'client_admin' AND tenant_id IS NULL",
            id,
            of.0,
            tenant.0,
            DIRECTORY,
            now,
        )
        .execute(self.connection())
        .await?;
        let connection = self.connection();
        let ended = if is_elsewhere {
            sessions::end_vouched(connection, of, tenant, now).await?
        } else {
            sessions::end_all(connection, of, now).await?
        };
        let keys = sqlx::query!(
            "UPDATE api_keys k SET revoked_at = $3
             WHERE k.principal_id = $1 AND k.revoked_at IS NULL
                 AND (NOT $4 OR k.projects <@ (SELECT coalesce(array_agg(p.id), '{}') FROM projects p
                         WHERE p.tenant_id = $2))",
            of.0,
            tenant.0,
            now,
            is_elsewhere,
        )
        .execute(self.connection())
        .await?;
        Ok(json!({ "sessions": ended.len(), "keys": keys.rows_affected() }))
    }
}

fn member(id: Uuid) -> Value {
    json!({ "members": [{ "value": id.to_string() }] })
}
