//! Records of backends' objects: whose they are.

pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod release;
pub(crate) mod transfer;
pub(crate) mod update;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::api::ResourceView;

/// An object of a backend that belongs to the project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resource {
    /// Of the record.
    id: Uuid,
    /// Name of the backend.
    upstream: String,
    /// As the routes call it.
    #[serde(rename = "type")]
    kind: String,
    /// The backend's id of it.
    external_id: String,
    /// `environment` and others, for conditions.
    labels: BTreeMap<String, String>,
    /// Type and id of who made it.
    created_by: String,
    created_at: DateTime<Utc>,
}

impl From<ResourceView> for Resource {
    fn from(view: ResourceView) -> Self {
        Self {
            id: view.id,
            upstream: view.upstream,
            kind: view.kind,
            external_id: view.external_id,
            // The database holds them to texts.
            labels: serde_json::from_value(view.labels).unwrap_or_default(),
            created_by: view.created_by,
            created_at: view.created_at,
        }
    }
}

/// `{resource}` in a path.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    resource: Uuid,
}
