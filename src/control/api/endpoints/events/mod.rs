//! The audit trail.

pub(crate) mod of_all;
pub(crate) mod of_project;
pub(crate) mod of_tenant;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::control::api::Api;
use crate::control::api::page::no_cursor;
use crate::control::api::problem::Problem;
use crate::control::api::text::Text;
use crate::control::api::work::listed;
use crate::domain::{ProjectId, TenantId};
use crate::store::api::EventFilter;
use crate::store::{AuditCursor, AuditRecord, Claims};

const DEFAULT: u32 = 100;
const MOST: u32 = 1000;
/// Most names of events that are asked for at once.
const MOST_NAMES: usize = 50;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Names of events, separated by commas: `project.created,authz.denied`.
    #[param(value_type = Option<String>, pattern = r"^[a-z0-9_.,]+$", min_length = 1, max_length = 1000)]
    event: Option<Text<1000>>,
    /// Id or e-mail address of who acted.
    #[param(value_type = Option<String>, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 254)]
    actor: Option<Text<254>>,
    /// How it ended.
    #[param(inline)]
    result: Option<Ended>,
    /// At or after.
    from: Option<DateTime<Utc>>,
    /// Before.
    to: Option<DateTime<Utc>>,
    /// `next_cursor` of the page before.
    #[param(pattern = r"^[A-Za-z0-9_-]+$", max_length = 500)]
    cursor: Option<String>,
    /// Most events of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// How a request or a change ended.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Ended {
    /// Permitted and done.
    Success,
    /// Refused by the gateway.
    Denied,
    /// Permitted, and failed elsewhere.
    Failed,
}

/// What a request or a change left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Event {
    id: Uuid,
    occurred_at: DateTime<Utc>,
    /// As in `project.created`.
    #[serde(rename = "event")]
    name: String,
    /// `success`, `denied` or `failed`.
    result: String,
    reason: Option<String>,
    tenant: Option<String>,
    project: Option<String>,
    /// `user`, `service_account`, `anonymous` or `operator`.
    actor_type: String,
    actor_id: Option<String>,
    actor_email: Option<String>,
    /// Public id of the API key.
    credential_id: Option<String>,
    ip: Option<String>,
    user_agent: Option<String>,
    resource_type: Option<String>,
    resource_id: Option<String>,
    method: Option<String>,
    route: Option<String>,
    status: Option<i32>,
    /// Microseconds.
    latency: Option<i64>,
    request_id: Option<String>,
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

/// A page of events, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    items: Vec<Event>,
    /// `cursor` of the next page, of older events; null on the last one.
    next_cursor: Option<String>,
}

impl From<AuditRecord> for Event {
    fn from(record: AuditRecord) -> Self {
        Self {
            id: record.id,
            occurred_at: record.occurred_at,
            name: record.event,
            result: record.result,
            reason: record.reason,
            tenant: record.tenant,
            project: record.project,
            actor_type: record.actor_type,
            actor_id: record.actor_id,
            actor_email: record.actor_email,
            credential_id: record.credential_id,
            ip: record.ip,
            user_agent: record.user_agent,
            resource_type: record.resource_type,
            resource_id: record.resource_id,
            method: record.method,
            route: record.route,
            status: record.status,
            latency: record.latency,
            request_id: record.request_id,
            details: record.details,
        }
    }
}

async fn answer(
    api: &Api,
    claims: Claims,
    tenant: Option<TenantId>,
    project: Option<ProjectId>,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let limit = wanted.limit.unwrap_or(DEFAULT);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::malformed(format!("`limit` is 1 to {MOST}.")));
    }
    let filter = wanted.filter(tenant, project)?;
    let mut tx = api.db.read_for(claims).await?;
    let mut records = tx.events(&filter, limit + 1).await?;
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let last = records.last().filter(|_| more);
    let next_cursor = last.map(|last| write(&last.cursor()));
    listed(&EventPage {
        items: records.into_iter().map(Event::from).collect(),
        next_cursor,
    })
}

impl Wanted {
    fn filter(
        self,
        tenant: Option<TenantId>,
        project: Option<ProjectId>,
    ) -> Result<EventFilter, Problem> {
        let events = self.event.map(|Text(names)| {
            let names = names.split(',').filter(|name| !name.is_empty());
            names.map(str::to_owned).collect::<Vec<_>>()
        });
        let is_name = |name: &String| {
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b))
        };
        if !events.iter().flatten().all(is_name) {
            return Err(Problem::malformed(
                "An event is called as in `project.created`.",
            ));
        }
        if events
            .as_ref()
            .is_some_and(|names| names.len() > MOST_NAMES)
        {
            let detail = format!("At most {MOST_NAMES} names of events.");
            return Err(Problem::malformed(detail));
        }
        Ok(EventFilter {
            tenant,
            project,
            events,
            actor: self.actor.map(|Text(actor)| actor),
            result: self.result.map(|result| {
                let word = match result {
                    Ended::Success => "success",
                    Ended::Denied => "denied",
                    Ended::Failed => "failed",
                };
                word.to_owned()
            }),
            since: self.from,
            until: self.to,
            before: self.cursor.as_deref().map(read).transpose()?,
        })
    }
}

fn write(cursor: &AuditCursor) -> String {
    let at = cursor.occurred_at.to_rfc3339();
    URL_SAFE_NO_PAD.encode(format!("{at}/{}", cursor.id))
}

fn read(text: &str) -> Result<AuditCursor, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let cursor = text.and_then(|text| text.parse().ok());
    cursor.ok_or_else(no_cursor)
}
