//! The audit trail: of a project, of a tenant, of all.

use chrono::{DateTime, Utc};

use super::super::{AuditCursor, AuditRecord, Result};
use super::tx::ReadTx;
use crate::domain::{ProjectId, TenantId};

/// Which events. Absent filters match everything.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Of this tenant; `None`: of all, and those of none.
    pub tenant: Option<TenantId>,
    /// Of this project of it.
    pub project: Option<ProjectId>,
    /// Names of events.
    pub events: Option<Vec<String>>,
    /// Id or e-mail address of the actor.
    pub actor: Option<String>,
    /// `success`, `denied` or `failed`.
    pub result: Option<String>,
    /// At or after.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// Older than this event.
    pub before: Option<AuditCursor>,
}

impl ReadTx {
    /// Events that match, the newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// `Unavailable`, also when the query takes too long: narrow it by time.
    pub async fn events(&mut self, filter: &EventFilter, limit: u32) -> Result<Vec<AuditRecord>> {
        let records = sqlx::query_as!(
            AuditRecord,
            r#"SELECT id, occurred_at, event, result, reason, tenant, project, tenant_id, project_id,
                   actor_type, actor_id, actor_email, credential_id, host(ip) AS ip, user_agent,
                   resource_type, resource_id, method, route, status, latency, request_id, details
               FROM audit_events
               WHERE ($1::uuid IS NULL OR tenant_id = $1)
                 AND ($2::uuid IS NULL OR project_id = $2)
                 AND ($3::text[] IS NULL OR event = ANY ($3))
                 AND ($4::text IS NULL OR actor_id = $4 OR actor_email = $4)
                 AND ($5::text IS NULL OR result = $5)
                 AND ($6::timestamptz IS NULL OR occurred_at >= $6)
                 AND ($7::timestamptz IS NULL OR occurred_at < $7)
                 AND ($8::timestamptz IS NULL OR (occurred_at, id) < ($8, $9::uuid))
               ORDER BY occurred_at DESC, id DESC
               LIMIT $10"#,
            filter.tenant.map(|TenantId(id)| id),
            filter.project.map(|ProjectId(id)| id),
            filter.events.as_deref(),
            filter.actor,
            filter.result,
            filter.since,
            filter.until,
            filter.before.map(|cursor| cursor.occurred_at),
            filter.before.map(|cursor| cursor.id),
            i64::from(limit),
        )
        .fetch_all(&mut *self.0)
        .await?;
        Ok(records)
    }
}
