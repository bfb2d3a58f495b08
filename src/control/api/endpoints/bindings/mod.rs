//! Bindings of roles.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::api::BindingView;

/// Who holds which role where.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Binding {
    id: Uuid,
    principal_id: Uuid,
    /// E-mail address, or `TENANT/NAME` of a service account.
    principal: String,
    role: String,
    /// `tenant`, `project` or `resource`.
    scope: String,
    /// Short name of the project.
    project: Option<String>,
    /// Id of the resource.
    resource: Option<Uuid>,
    /// `allow` or `deny`.
    effect: String,
    /// CEL: it counts while this holds.
    when: Option<String>,
    /// The sign-in provider, or `scim`, by whose word it is held, and that takes it away again;
    /// null: it was made by hand.
    provider: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<BindingView> for Binding {
    fn from(view: BindingView) -> Self {
        Self {
            id: view.id,
            principal_id: view.principal_id,
            principal: view.principal,
            role: view.role,
            scope: view.scope,
            project: view.project,
            resource: view.resource,
            effect: view.effect,
            when: view.condition,
            provider: view.provider,
            created_at: view.created_at,
        }
    }
}
