//! API keys of a tenant's service accounts; and those of its users, where it must approve them.

pub(crate) mod approve;
pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod pending;
pub(crate) mod revoke;
pub(crate) mod revoke_all;
pub(crate) mod rotate;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::KeyState;
use crate::store::api::KeyView;

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKey {
    /// The public part, which stands in the audit trail.
    id: String,
    principal_id: Uuid,
    /// E-mail address of the holder, or `TENANT/NAME` of a service account.
    principal: String,
    description: String,
    /// Patterns that it is limited to; null: no limit of its own.
    permissions: Option<Vec<String>>,
    /// Short names of the projects that it is limited to; null: no limit of its own.
    projects: Option<Vec<String>>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// `pending` (it awaits approval), `active`, `expired` or `revoked`.
    state: &'static str,
    /// Networks that it may be used from; null: from anywhere.
    networks: Option<Vec<String>>,
    /// How many requests it may send, beside what others are limited to.
    rate: Option<String>,
    /// The key whose place it takes.
    rotated_from: Option<String>,
    /// Some seconds late.
    last_used_at: Option<DateTime<Utc>>,
    last_used_address: Option<String>,
    /// As the route map has it.
    last_used_route: Option<String>,
}

/// As it is at this moment.
fn shown_at(view: KeyView, now: DateTime<Utc>) -> ApiKey {
    let state = KeyState::of(view.revoked_at, view.expires_at, view.is_pending, now);
    ApiKey {
        id: view.id,
        principal_id: view.principal_id,
        principal: view.principal,
        description: view.description,
        permissions: view.permissions,
        projects: view.projects,
        created_at: view.created_at,
        expires_at: view.expires_at,
        revoked_at: view.revoked_at,
        state: state.as_str(),
        networks: view.networks,
        rate: view.rate,
        rotated_from: view.rotated_from,
        last_used_at: view.last_used_at,
        last_used_address: view.last_used_ip,
        last_used_route: view.last_used_route,
    }
}
