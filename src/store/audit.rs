//! Reading the audit trail. Writing it is the matter of `audit/`, and of every change here.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Uuid;

use super::{Db, Result};

/// Which events to read. Absent filters match everything.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Slug of the tenant.
    pub tenant: Option<String>,
    /// Slug of the project.
    pub project: Option<String>,
    /// Event name; `run.*` stands for all that begin with `run.`.
    pub event: Option<String>,
    /// Id or e-mail address of the actor.
    pub actor: Option<String>,
    /// `success`, `denied` or `failed`.
    pub result: Option<String>,
    /// `X-Request-Id`.
    pub request_id: Option<String>,
    /// At or after.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// Older than this event: the next page.
    pub before: Option<AuditCursor>,
}

/// The place of an event in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuditCursor {
    /// When it occurred.
    pub occurred_at: DateTime<Utc>,
    /// Its id.
    pub id: Uuid,
}

/// The text is no [`AuditCursor`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write the event's OCCURRED_AT/ID")]
pub struct MalformedCursor;

impl std::str::FromStr for AuditCursor {
    type Err = MalformedCursor;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let (at, id) = text.split_once('/').ok_or(MalformedCursor)?;
        let at = DateTime::parse_from_rfc3339(at).map_err(|_| MalformedCursor)?;
        Ok(Self {
            occurred_at: at.to_utc(),
            id: id.parse().map_err(|_| MalformedCursor)?,
        })
    }
}

/// An event as it is stored: one field a column, in the order of the columns.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct AuditRecord {
    pub id: Uuid,
    pub occurred_at: DateTime<Utc>,
    pub event: String,
    pub result: String,
    pub reason: Option<String>,
    pub tenant: Option<String>,
    pub project: Option<String>,
    pub tenant_id: Option<Uuid>,
    pub project_id: Option<Uuid>,
    pub actor_type: String,
    pub actor_id: Option<String>,
    pub actor_email: Option<String>,
    pub credential_id: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub method: Option<String>,
    pub route: Option<String>,
    pub status: Option<i32>,
    /// Microseconds.
    pub latency: Option<i64>,
    pub request_id: Option<String>,
    pub details: serde_json::Value,
}

impl AuditRecord {
    /// Its place in the order of time.
    #[must_use]
    pub const fn cursor(&self) -> AuditCursor {
        AuditCursor {
            occurred_at: self.occurred_at,
            id: self.id,
        }
    }
}

impl Db {
    /// Events that match, the newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// `Unavailable`, also when the query takes too long: narrow it by time.
    pub async fn audit(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditRecord>> {
        let prefix = filter
            .event
            .as_deref()
            .and_then(|event| event.strip_suffix('*'));
        let exact = if prefix.is_none() {
            filter.event.as_deref()
        } else {
            None
        };
        let mut tx = self.read_planned().await?;
        let records = sqlx::query_as!(
            AuditRecord,
            r#"SELECT id, occurred_at, event, result, reason, tenant, project, tenant_id, project_id,
                   actor_type, actor_id, actor_email, credential_id, host(ip) AS ip, user_agent,
                   resource_type, resource_id, method, route, status, latency, request_id, details
               FROM audit_events
               WHERE ($1::text IS NULL OR tenant_id IN (SELECT t.id FROM tenants t WHERE t.slug = $1))
                 AND ($2::text IS NULL OR project = $2)
                 AND ($3::text IS NULL OR event = $3)
                 AND ($4::text IS NULL OR starts_with(event, $4))
                 AND ($5::text IS NULL OR actor_id = $5 OR actor_email = $5)
                 AND ($6::text IS NULL OR result = $6)
                 AND ($7::text IS NULL OR request_id = $7)
                 AND ($8::timestamptz IS NULL OR occurred_at >= $8)
                 AND ($9::timestamptz IS NULL OR occurred_at < $9)
                 AND ($10::timestamptz IS NULL OR (occurred_at, id) < ($10, $11::uuid))
               ORDER BY occurred_at DESC, id DESC
               LIMIT $12"#,
            filter.tenant.as_deref(),
            filter.project.as_deref(),
            exact,
            prefix,
            filter.actor.as_deref(),
            filter.result.as_deref(),
            filter.request_id.as_deref(),
            filter.since,
            filter.until,
            filter.before.map(|cursor| cursor.occurred_at),
            filter.before.map(|cursor| cursor.id),
            i64::from(limit),
        )
        .fetch_all(&mut *tx)
        .await?;
        Ok(records)
    }
}
