//! Users and service accounts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, types::Uuid};

use super::author::Done;
use super::bindings::{is_superadmin, superadmin_remains};
use super::tenants::tenant;
use super::{Author, Claims, Db, Result, StoreError};
use crate::domain::{Email, Principal, PrincipalId, PrincipalKind, PrincipalName, Slug, TenantId};

/// A principal in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedPrincipal {
    /// The principal.
    #[serde(flatten)]
    pub principal: Principal,
    /// Slug of a service account's tenant.
    pub tenant_slug: Option<String>,
    /// Whether it has a second factor; a service account has none.
    pub mfa_enabled: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

pub(super) struct PrincipalRow {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) email: Option<String>,
    pub(super) name: String,
    pub(super) tenant_id: Option<Uuid>,
    pub(super) disabled: bool,
}

impl TryFrom<PrincipalRow> for Principal {
    type Error = StoreError;

    fn try_from(row: PrincipalRow) -> Result<Self> {
        Ok(Self {
            id: PrincipalId(row.id),
            kind: kind(&row.kind)?,
            email: row.email,
            name: row.name,
            tenant: row.tenant_id.map(TenantId),
            disabled: row.disabled,
        })
    }
}

fn kind(text: &str) -> Result<PrincipalKind> {
    match text {
        "user" => Ok(PrincipalKind::User),
        "service_account" => Ok(PrincipalKind::ServiceAccount),
        other => Err(StoreError::Corrupt(format!("principal kind `{other}`"))),
    }
}

impl Db {
    /// Creates a user (`user.created`).
    ///
    /// # Errors
    ///
    /// `Conflict` if the address is taken.
    pub async fn create_user(
        &self,
        author: &mut Author,
        email: &Email,
        name: &str,
    ) -> Result<Principal> {
        let mut change = self.change(author).await?;
        let user = Principal {
            id: PrincipalId(change.author.id()),
            kind: PrincipalKind::User,
            email: Some(email.to_string()),
            name: name.to_owned(),
            tenant: None,
            disabled: false,
        };
        insert(&mut change.tx, &user, change.author.now()).await?;
        let done = Done::new("user.created", "user", &user.id);
        change.commit(done.detail("email", email.as_str())).await?;
        Ok(user)
    }

    /// Creates a service account in a tenant (`service_account.created`).
    ///
    /// # Errors
    ///
    /// `NotFound` for the tenant, `Conflict` if the name is taken in it.
    pub async fn create_service_account(
        &self,
        author: &mut Author,
        in_tenant: &Slug,
        name: &Slug,
    ) -> Result<Principal> {
        let mut change = self.change(author).await?;
        let home = tenant(&mut change.tx, in_tenant).await?;
        let account = Principal {
            id: PrincipalId(change.author.id()),
            kind: PrincipalKind::ServiceAccount,
            email: None,
            name: name.to_string(),
            tenant: Some(home.id),
            disabled: false,
        };
        insert(&mut change.tx, &account, change.author.now()).await?;
        let done = Done::new("service_account.created", "service_account", &account.id)
            .tenant(home.id, &home.slug)
            .detail("name", name.as_str());
        change.commit(done).await?;
        Ok(account)
    }

    /// Disables or enables a principal (`user.disabled`, `service_account.enabled` …).
    ///
    /// # Errors
    ///
    /// `Conflict` if it is so already, `Refused` for the last superadmin.
    pub async fn set_disabled(
        &self,
        author: &mut Author,
        name: &PrincipalName,
        disabled: bool,
    ) -> Result<Principal> {
        let mut change = self.change(author).await?;
        let mut found = principal(&mut change.tx, name).await?;
        let word = if disabled { "disabled" } else { "enabled" };
        let changed = sqlx::query!(
            "UPDATE principals SET disabled_at = CASE WHEN $2 THEN $3::timestamptz END,
                 disabled_for = NULL
             WHERE id = $1 AND (disabled_at IS NULL) = $2",
            found.id.0,
            disabled,
            change.author.now(),
        )
        .execute(&mut *change.tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(if found.disabled == disabled {
                StoreError::Conflict(format!("`{name}` is {word} already"))
            } else {
                StoreError::Refused(format!("`{name}` is not this tenant's to change"))
            });
        }
        if disabled && is_superadmin(&mut change.tx, found.id).await? {
            superadmin_remains(&mut change.tx).await?;
        }
        let kind = found.kind.as_str();
        let done = Done::new(disabled_event(found.kind, disabled), kind, &found.id);
        change
            .commit(done.detail("principal", found.label()))
            .await?;
        found.disabled = disabled;
        Ok(found)
    }

    /// All users, by address.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn users(&self) -> Result<Vec<ListedPrincipal>> {
        self.list(PrincipalKind::User, None).await
    }

    /// Service accounts, of one tenant or of all, by tenant and name.
    ///
    /// # Errors
    ///
    /// `NotFound` for the tenant.
    pub async fn service_accounts(&self, of: Option<&Slug>) -> Result<Vec<ListedPrincipal>> {
        if let Some(slug) = of {
            self.tenant(slug).await?;
        }
        self.list(PrincipalKind::ServiceAccount, of).await
    }

    async fn list(&self, kind: PrincipalKind, of: Option<&Slug>) -> Result<Vec<ListedPrincipal>> {
        let rows = sqlx::query!(
            r#"SELECT p.id, p.kind, p.email, p.name, p.tenant_id, p.created_at,
                   p.disabled_at IS NOT NULL AS "disabled!", t.slug AS "tenant_slug?",
                   (EXISTS (SELECT FROM totp f WHERE f.principal_id = p.id)
                       OR EXISTS (SELECT FROM passkeys f WHERE f.principal_id = p.id))
                       AS "mfa_enabled!"
               FROM principals p LEFT JOIN tenants t ON t.id = p.tenant_id
               WHERE p.kind = $1 AND ($2::text IS NULL OR t.slug = $2)
               ORDER BY t.slug, p.email, p.name"#,
            kind.as_str(),
            of.map(Slug::as_str),
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        let listed = rows.into_iter().map(|row| {
            let principal = PrincipalRow {
                id: row.id,
                kind: row.kind,
                email: row.email,
                name: row.name,
                tenant_id: row.tenant_id,
                disabled: row.disabled,
            };
            Ok(ListedPrincipal {
                principal: principal.try_into()?,
                tenant_slug: row.tenant_slug,
                mfa_enabled: row.mfa_enabled,
                created_at: row.created_at,
            })
        });
        listed.collect()
    }

    /// As [`Db::principal`], also of users whom the claims do not show: a tenant makes
    /// members of people by their address.
    pub(super) async fn anyone(&self, name: &PrincipalName) -> Result<Principal> {
        let found = self.claiming(Claims::Gateway).principal(name).await?;
        match (self.claims(), found.tenant) {
            (Claims::Member(own), Some(home)) if own != home => {
                Err(StoreError::not_found("principal", name))
            }
            _ => Ok(found),
        }
    }

    /// One principal.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn principal(&self, name: &PrincipalName) -> Result<Principal> {
        principal(&mut *self.read().await?, name).await
    }
}

const fn disabled_event(kind: PrincipalKind, disabled: bool) -> &'static str {
    match (kind, disabled) {
        (PrincipalKind::User, true) => "user.disabled",
        (PrincipalKind::User, false) => "user.enabled",
        (PrincipalKind::ServiceAccount, true) => "service_account.disabled",
        (PrincipalKind::ServiceAccount, false) => "service_account.enabled",
    }
}

pub(super) async fn insert(
    connection: &mut PgConnection,
    principal: &Principal,
    at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO principals (id, kind, email, name, tenant_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        principal.id.0,
        principal.kind.as_str(),
        principal.email,
        principal.name,
        principal.tenant.map(|TenantId(id)| id),
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Each way to name one has its index. Addresses are compared as they are, which row-level
/// security lets an index do, and not folded, which it does not: they are kept folded.
pub(super) async fn principal(
    connection: &mut PgConnection,
    name: &PrincipalName,
) -> Result<Principal> {
    let (id, email, home, account) = match name {
        PrincipalName::Id(PrincipalId(id)) => (Some(*id), None, None, None),
        PrincipalName::Email(email) => (None, Some(email.as_str()), None, None),
        PrincipalName::ServiceAccount { tenant, name } => {
            (None, None, Some(tenant.as_str()), Some(name.as_str()))
        }
    };
    sqlx::query_as!(
        PrincipalRow,
        r#"SELECT p.id, p.kind, p.email, p.name, p.tenant_id,
               p.disabled_at IS NOT NULL AS "disabled!"
           FROM principals p
           WHERE p.id IN (
               SELECT $1::uuid
               UNION ALL SELECT u.id FROM principals u WHERE u.kind = 'user' AND u.email = $2
               UNION ALL SELECT a.id FROM principals a JOIN tenants t ON t.id = a.tenant_id
                   WHERE a.kind = 'service_account' AND t.slug = $3 AND a.name = $4)"#,
        id,
        email,
        home,
        account,
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| StoreError::not_found("principal", name))?
    .try_into()
}
