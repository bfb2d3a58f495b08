//! Sign-in providers that are not in the configuration.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod update;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::authn::Apart;
use crate::control::api::problem::Problem;
use crate::control::api::{Api, ProviderDesk};
use crate::domain::{Slug, Tenant};
use crate::store::api::ProviderView;

/// A service that says who people are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Provider {
    /// In paths and events; it never changes.
    name: String,
    /// Short name of the tenant whose people it knows.
    tenant: String,
    /// As an entry of `sign_in.providers` in the configuration, without its secrets.
    #[schema(value_type = Object)]
    settings: Value,
    /// The keys of the secrets that it has: `oidc.client_secret`. Nobody reads them.
    secrets: Vec<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// `{provider}` in a path.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    provider: Slug,
}

impl Provider {
    fn of(view: ProviderView, desk: &ProviderDesk) -> Self {
        let apart = Apart::open(&view.stored, &desk.seal);
        Self {
            secrets: apart.map_or_else(Vec::new, |apart| apart.secret_keys()),
            name: view.stored.name,
            tenant: view.stored.tenant,
            settings: view.stored.settings,
            created_at: view.created_at,
            updated_at: view.updated_at,
        }
    }
}

fn tenant_of(api: &Api, slug: &str) -> Result<Arc<Tenant>, Problem> {
    let table = api.tables.current();
    let slug = slug.parse::<Slug>().ok();
    let tenant = slug.and_then(|slug| table.tenant_by_slug(&slug).map(Arc::clone));
    tenant.ok_or_else(|| Problem::refused("tenant_unknown", "There is no such tenant."))
}

/// What is wrong with it by itself, or beside those that there are.
async fn checked(api: &Api, apart: &Apart, (name, tenant): (&Slug, &Slug)) -> Result<(), Problem> {
    let provider = apart
        .provider(name.as_str(), tenant.as_str())
        .map_err(|wrong| Problem::refused("invalid", wrong.join("; ")))?;
    let stored = api.db.stored_providers().await?;
    let opened = stored.iter().filter_map(|it| {
        let apart = Apart::open(it, &api.providers.seal)?;
        apart.provider(&it.name, &it.tenant).ok()
    });
    let mut all = api.providers.configured.iter().cloned().chain(opened);
    match all.find(|other| provider.contends_with(other)) {
        None => Ok(()),
        Some(other) => {
            let detail = format!(
                "Provider `{}` of another tenant speaks for one of these domains.",
                other.name
            );
            Err(Problem::conflict("conflict", detail))
        }
    }
}
