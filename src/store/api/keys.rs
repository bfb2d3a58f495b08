//! API keys of a tenant's service accounts. A user may act in other tenants: no tenant makes
//! keys for one.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sqlx::PgConnection;

use super::super::author::Done;
use super::super::key_life::{
    all_revoked, approve, approved, end_of, insert, revoke_in, revoke_of, rotate, rotated,
};
use super::super::keys::find;
use super::super::{Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{
    ApiKey, KeyId, KeyToken, Pepper, Principal, PrincipalId, Project, ProjectId, Quota, Tenant,
    TenantId,
};

/// A key, as the API shows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the API's document describes the fields")]
pub struct KeyView {
    pub id: String,
    pub principal_id: uuid::Uuid,
    pub principal: String,
    pub description: String,
    pub permissions: Option<Vec<String>>,
    pub projects: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub last_used_ip: Option<String>,
    pub last_used_route: Option<String>,
    pub networks: Option<Vec<String>>,
    pub rate: Option<String>,
    pub rotated_from: Option<String>,
    pub is_pending: bool,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Who will hold it.
    pub holder: Principal,
    /// Projects it is limited to; empty is no limit of its own.
    pub projects: Vec<Project>,
    /// Permission patterns it is limited to; empty is no limit of its own.
    pub permissions: Vec<String>,
    /// What it is for.
    pub description: String,
    /// Networks it may be used from; empty is from anywhere.
    pub networks: Vec<IpNet>,
    /// How many requests it may send, beside what others are limited to.
    pub rate: Option<Quota>,
    /// The tenant whose administrator makes it, and has thereby approved it.
    pub approved_for: Option<TenantId>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a key opens at most.
#[derive(Clone, Debug)]
pub struct KeyLimits {
    /// Whose it is.
    pub holder: PrincipalId,
    /// Projects it is limited to; `None` is no limit of its own.
    pub projects: Option<Vec<ProjectId>>,
    /// Permission patterns it is limited to; `None` is no limit of its own.
    pub permissions: Option<Vec<String>>,
}

impl NewApiKey {
    /// What it will open at most.
    #[must_use]
    pub fn limits(&self) -> KeyLimits {
        let projects: Vec<_> = self.projects.iter().map(|project| project.id).collect();
        KeyLimits {
            holder: self.holder.id,
            projects: (!projects.is_empty()).then_some(projects),
            permissions: (!self.permissions.is_empty()).then(|| self.permissions.clone()),
        }
    }
}

/// Which keys of a tenant.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFilter {
    /// Only those that could be used, and have not been since, nor were made after it.
    pub unused_since: Option<DateTime<Utc>>,
}

impl ReadTx {
    /// Keys of a tenant by id, one more than the page has if there are more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn keys(
        &mut self,
        of: TenantId,
        filter: KeyFilter,
        page: &PageRequest,
    ) -> Result<Vec<KeyView>> {
        keys(&mut self.0, (of, filter), None, page).await
    }

    /// Keys that await approval in a tenant, its users' among them, as above. It takes the
    /// gateway's claims to see those.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn pending_keys(&mut self, of: TenantId, page: &PageRequest) -> Result<Vec<KeyView>> {
        let rows = sqlx::query_as!(
            KeyView,
            r#"SELECT k.id, k.principal_id, coalesce(w.email, h.slug || '/' || w.name) AS "principal!",
                   k.description, k.permissions, k.created_at, k.expires_at, k.revoked_at,
                   u.last_used_at AS "last_used_at?", host(u.last_used_ip) AS last_used_ip,
                   u.last_used_route AS "last_used_route?", k.networks::text[] AS networks, k.rate,
                   k.rotated_from, true AS "is_pending!",
                   -- What it opens elsewhere is not this tenant's to know.
                   CASE WHEN k.projects IS NOT NULL THEN
                       ARRAY(SELECT p.slug FROM projects p
                             WHERE p.id = ANY (k.projects) AND p.tenant_id = t.id ORDER BY p.slug)
                   END AS projects
               FROM tenants t
               JOIN api_keys k ON k.created_at >= (t.key_rules ->> 'approval_since')::timestamptz
               JOIN principals w ON w.id = k.principal_id
               LEFT JOIN tenants h ON h.id = w.tenant_id
               LEFT JOIN api_key_usage u ON u.key_id = k.id
               WHERE t.id = $1 AND k.revoked_at IS NULL
                   AND (k.expires_at IS NULL OR k.expires_at > now())
                   AND t.id <> ALL (k.approved_for)
                   AND (w.tenant_id = t.id
                       OR k.principal_id IN (SELECT principal_id FROM bindings WHERE tenant_id = t.id)
                       OR k.principal_id IN (SELECT owner_id FROM projects WHERE tenant_id = t.id))
                   AND (k.projects IS NULL
                       OR k.projects && ARRAY(SELECT id FROM projects WHERE tenant_id = t.id))
                   AND ($2::text IS NULL OR k.id COLLATE "C" > $2)
               ORDER BY k.id COLLATE "C" LIMIT $3"#,
            of.0,
            page.after,
            page.probe(),
        )
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows)
    }
}

impl ApiTx {
    /// One key, as it will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn key(&mut self, of: TenantId, id: &KeyId) -> Result<KeyView> {
        let page = PageRequest {
            after: None,
            limit: 1,
        };
        let found = keys(
            self.connection(),
            (of, KeyFilter::default()),
            Some(id),
            &page,
        )
        .await?;
        let found = found.into_iter().next();
        found.ok_or_else(|| StoreError::not_found("API key", id))
    }

    /// Makes a key (`api_key.created`); the whole of it is known here only.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn create_api_key(
        &mut self,
        tenant: &Tenant,
        new: &NewApiKey,
        pepper: &Pepper,
    ) -> Result<(KeyToken, KeyView, Done)> {
        let (token, _) = self.insert_key(new, pepper).await?;
        let key = self.key(tenant.id, token.id()).await?;
        let done = done("api_key.created", tenant, &key)
            .detail("permissions", key.permissions.clone())
            .detail("projects", key.projects.clone())
            .detail("networks", key.networks.clone())
            .detail("rate", key.rate.clone())
            .detail("expires_at", key.expires_at.map(|at| at.to_rfc3339()));
        let done = match new.projects.as_slice() {
            [project] => done.project(project.id, &project.slug),
            _ => done,
        };
        Ok((token, key, done))
    }

    /// The same for whoever holds it. It ends when the tenants that it is for say, if nobody does.
    pub(super) async fn insert_key(
        &mut self,
        new: &NewApiKey,
        pepper: &Pepper,
    ) -> Result<(KeyToken, ApiKey)> {
        let token = KeyToken::generate(&mut self.rng);
        let (now, label) = (self.now(), self.label());
        let KeyLimits {
            holder,
            projects,
            permissions,
        } = new.limits();
        let whose = (holder, projects.as_deref());
        let expires_at = end_of(self.connection(), whose, new.expires_at, now).await?;
        let key = ApiKey {
            id: token.id().clone(),
            principal: holder,
            secret_hash: pepper.hash(token.secret()),
            permissions,
            projects,
            description: new.description.clone(),
            networks: (!new.networks.is_empty()).then(|| new.networks.clone()),
            rate: new.rate,
            rotated_from: None,
            approved_for: new.approved_for.into_iter().collect(),
            expires_at,
            revoked_at: None,
            created_at: now,
            last_used_at: None,
            last_used_ip: None,
            last_used_route: None,
        };
        insert(self.connection(), &key, &label).await?;
        Ok((token, key))
    }

    /// What a key opens at most.
    ///
    /// # Errors
    ///
    /// `NotFound`, also for one that the claims do not let see.
    pub async fn limits_of_key(&mut self, id: &KeyId) -> Result<KeyLimits> {
        let key = find(self.connection(), id).await?;
        let key = key.ok_or_else(|| StoreError::not_found("API key", id))?;
        Ok(KeyLimits {
            holder: key.principal,
            projects: key.projects,
            permissions: key.permissions,
        })
    }

    /// Makes a key that takes another one's place, which works until then (`api_key.rotated`).
    ///
    /// # Errors
    ///
    /// `Conflict` for one that works no more or has been rotated already.
    pub async fn rotate_api_key(
        &mut self,
        tenant: &Tenant,
        former: &KeyId,
        until: DateTime<Utc>,
        pepper: &Pepper,
    ) -> Result<(KeyToken, KeyView, Done)> {
        let (moment, label) = ((self.now(), until), self.label());
        let mut rng = StdRng::from_rng(&mut self.rng);
        let with = (&mut rng, pepper, &*label);
        let (token, key) = rotate(self.connection(), former, moment, with).await?;
        let done = rotated(former, &key, until).tenant(tenant.id, &tenant.slug);
        let view = self.key(tenant.id, token.id()).await?;
        Ok((token, view, done))
    }

    /// Revokes all keys that are a tenant's, and lets none of before open anything there
    /// (`api_key.all_revoked`); says how many were revoked.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn revoke_all_in(&mut self, tenant: &Tenant) -> Result<(u64, Done)> {
        let now = self.now();
        let revoked = revoke_in(self.connection(), tenant.id, now).await?;
        Ok((revoked, all_revoked(tenant.id, &tenant.slug, revoked)))
    }

    /// Revokes all keys of a principal (`api_key.all_revoked`); says how many.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn revoke_all_of(&mut self, tenant: &Tenant, of: &Principal) -> Result<(u64, Done)> {
        let now = self.now();
        let revoked = revoke_of(self.connection(), of.id, now).await?;
        let done = Done::new("api_key.all_revoked", "principal", &of.id)
            .tenant(tenant.id, &tenant.slug)
            .detail("principal", of.label())
            .detail("keys", revoked);
        Ok((revoked, done))
    }

    /// Approves a key for a tenant (`api_key.approved`). It may be a user's, which no tenant's
    /// claims see.
    ///
    /// # Errors
    ///
    /// `NotFound` for one that is not for it, `Conflict` if it is approved.
    pub async fn approve_api_key(&mut self, tenant: &Tenant, id: &KeyId) -> Result<Done> {
        let holder = approve(self.connection(), tenant.id, id).await?;
        Ok(approved(tenant.id, &tenant.slug, (id, holder)))
    }

    /// Revokes a key for good (`api_key.revoked`).
    ///
    /// # Errors
    ///
    /// `Conflict` if it is revoked already.
    pub async fn revoke_api_key(&mut self, tenant: &Tenant, key: &KeyView) -> Result<Done> {
        if key.revoked_at.is_some() {
            return Err(StoreError::Conflict(format!(
                "`{}` is revoked already",
                key.id
            )));
        }
        let now = self.now();
        sqlx::query!(
            "UPDATE api_keys SET revoked_at = $2 WHERE id = $1",
            key.id,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(done("api_key.revoked", tenant, key))
    }

    /// A project of a tenant by its short name.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn project_named(
        &mut self,
        of: &Tenant,
        slug: &crate::domain::Slug,
    ) -> Result<Project> {
        let row = sqlx::query!(
            "SELECT id, name, owner_id FROM projects WHERE tenant_id = $1 AND slug = $2",
            of.id.0,
            slug.as_str(),
        )
        .fetch_optional(self.connection())
        .await?
        .ok_or_else(|| StoreError::not_found("project", slug))?;
        Ok(Project {
            id: ProjectId(row.id),
            tenant: of.id,
            slug: slug.clone(),
            name: row.name,
            owner: PrincipalId(row.owner_id),
            session_rules: None,
        })
    }
}

fn done(event: &'static str, tenant: &Tenant, key: &KeyView) -> Done {
    Done::new(event, "api_key", &key.id)
        .tenant(tenant.id, &tenant.slug)
        .detail("principal_id", key.principal_id.to_string())
        .detail("principal", key.principal.as_str())
        .detail("description", key.description.as_str())
}

async fn keys(
    connection: &mut PgConnection,
    (of, filter): (TenantId, KeyFilter),
    only: Option<&KeyId>,
    page: &PageRequest,
) -> Result<Vec<KeyView>> {
    let rows = sqlx::query_as!(
        KeyView,
        r#"SELECT k.id, k.principal_id, coalesce(w.email, h.slug || '/' || w.name) AS "principal!",
               k.description, k.permissions, k.created_at, k.expires_at, k.revoked_at,
               u.last_used_at AS "last_used_at?", host(u.last_used_ip) AS last_used_ip,
               u.last_used_route AS "last_used_route?", k.networks::text[] AS networks, k.rate,
               k.rotated_from, key_is_pending(k) AS "is_pending!",
               -- One whose projects are gone opens nothing; it is not unlimited.
               CASE WHEN k.projects IS NOT NULL THEN
                   ARRAY(SELECT p.slug FROM projects p WHERE p.id = ANY (k.projects) ORDER BY p.slug)
               END AS projects
           FROM api_keys k
           JOIN principals w ON w.id = k.principal_id
           LEFT JOIN tenants h ON h.id = w.tenant_id
           LEFT JOIN api_key_usage u ON u.key_id = k.id
           WHERE k.tenant_id = $1
               AND ($2::text IS NULL OR k.id = $2) AND ($3::text IS NULL OR k.id COLLATE "C" > $3)
               AND ($5::timestamptz IS NULL
                   OR coalesce(u.last_used_at, k.created_at) < $5 AND k.revoked_at IS NULL
                       AND (k.expires_at IS NULL OR k.expires_at > now()))
           ORDER BY k.id COLLATE "C" LIMIT $4"#,
        of.0,
        only.map(KeyId::as_str),
        page.after,
        page.probe(),
        filter.unused_since,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
