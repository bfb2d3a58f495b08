//! API keys of a tenant's service accounts.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

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
    /// Some seconds late.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<KeyView> for ApiKey {
    fn from(view: KeyView) -> Self {
        Self {
            id: view.id,
            principal_id: view.principal_id,
            principal: view.principal,
            description: view.description,
            permissions: view.permissions,
            projects: view.projects,
            created_at: view.created_at,
            expires_at: view.expires_at,
            revoked_at: view.revoked_at,
            last_used_at: view.last_used_at,
        }
    }
}
