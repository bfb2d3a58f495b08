//! Projects.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod transfer;
pub(crate) mod update;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::api::ProjectView;

/// A project: it owns resources, and has exactly one owner.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Project {
    id: Uuid,
    /// The short name of its tenant.
    tenant: String,
    /// Its short name in the tenant.
    slug: String,
    name: String,
    owner_id: Uuid,
    /// E-mail address of the owner, or `TENANT/NAME` of a service account.
    owner: String,
    created_at: DateTime<Utc>,
}

impl From<ProjectView> for Project {
    fn from(view: ProjectView) -> Self {
        Self {
            id: view.id,
            tenant: view.tenant,
            slug: view.slug,
            name: view.name,
            owner_id: view.owner_id,
            owner: view.owner,
            created_at: view.created_at,
        }
    }
}
