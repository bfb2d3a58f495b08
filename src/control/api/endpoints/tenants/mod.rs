//! Tenants.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod read;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::api::TenantView;

/// An organisation: the outer boundary.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tenant {
    id: Uuid,
    /// The short name, which stands in paths and headers.
    #[schema(pattern = "^[a-z0-9](-?[a-z0-9])*$", max_length = 30)]
    slug: String,
    name: String,
    created_at: DateTime<Utc>,
}

impl From<TenantView> for Tenant {
    fn from(view: TenantView) -> Self {
        let TenantView {
            id,
            slug,
            name,
            created_at,
        } = view;
        Self {
            id,
            slug,
            name,
            created_at,
        }
    }
}
