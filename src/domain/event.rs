//! The audit event: the one record that each decision and each change leaves.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{EventId, ProjectId, Slug, TenantId};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    /// Permitted and done.
    Success,
    /// Refused by the gateway.
    Denied,
    /// Permitted, but the backend or the connection failed.
    Failed,
}

impl AuditResult {
    /// The word used in SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// `user`, `service_account`, `anonymous` or `operator` (the command line).
    pub kind: &'static str,
    /// Principal id, or the operating-system user of an operator.
    pub id: Option<String>,
    /// E-mail address of a user.
    pub email: Option<String>,
}

impl Actor {
    /// Nobody known.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self {
            kind: "anonymous",
            id: None,
            email: None,
        }
    }
}

/// The object acted upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceRef {
    /// Resource type, as the route names it.
    pub kind: Arc<str>,
    /// The backend's id of it.
    pub id: String,
}

/// One audit event. Field order is the column order of `audit_events`.
#[derive(Clone, Debug, Serialize)]
pub struct AuditEvent {
    /// `UUIDv7`.
    pub id: EventId,
    /// When the request arrived or the change was made.
    pub occurred_at: DateTime<Utc>,
    /// `run.created`, `authz.denied`, `api_key.created` …
    pub event: Arc<str>,
    /// How it ended.
    pub result: AuditResult,
    /// Why, for a denial or a failure; for operators, never shown to clients.
    pub reason: Option<String>,
    /// Tenant, if known.
    pub tenant: Option<(TenantId, Slug)>,
    /// Project, if known.
    pub project: Option<(ProjectId, Slug)>,
    /// Who.
    pub actor: Actor,
    /// Public id of the credential.
    pub credential_id: Option<Arc<str>>,
    /// Client address.
    pub ip: Option<IpAddr>,
    /// Client's user agent, as sent.
    pub user_agent: Option<String>,
    /// On what.
    pub resource: Option<ResourceRef>,
    /// HTTP method; `None` for an administrative change.
    pub method: Option<String>,
    /// The route's pattern.
    pub route: Option<Arc<str>>,
    /// HTTP status sent to the client.
    pub status: Option<u16>,
    /// From the request's arrival to the last byte of the backend's answer, in microseconds.
    pub latency: Option<u64>,
    /// `X-Request-Id`.
    pub request_id: Option<String>,
    /// A JSON object with whatever else matters.
    pub details: serde_json::Map<String, serde_json::Value>,
}
