//! `PUT /providers/{provider}`.

use axum::extract::State;
use axum::response::Response;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Named, Provider, checked, tenant_of};
use crate::authn::Apart;
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::OnPlatform;
use crate::control::api::strict::Strict;

/// What a sign-in provider is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderChange {
    /// All of its settings. Secrets that are left out stay, unless it becomes one of another kind.
    #[schema(value_type = Object)]
    settings: Strict,
}

/// Change all settings of a sign-in provider
#[utoipa::path(put, path = "/.portcullis/api/v1/providers/{provider}", tag = "providers",
    operation_id = "update_provider", request_body = ProviderChange,
    responses((status = 200, description = "Changed", body = Provider)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    _: OnPlatform,
    Path(Named { provider }): Path<Named>,
    seen: IfMatch,
    body: Body<ProviderChange>,
) -> Result<Response, Problem> {
    let desk = &api.providers;
    let mut work = api.work(&caller, &OnPlatform::SITE).await?;
    let now = work.tx.provider(provider.as_str()).await?;
    seen.check(&Provider::of(now.clone(), desk))?;
    let tenant = tenant_of(&api, &now.stored.tenant)?;
    let former = Apart::open(&now.stored, &desk.seal).unwrap_or_default();
    let apart = Apart::new(body.value.settings.0).keeping(&former);
    checked(&api, &apart, (&provider, &tenant.slug)).await?;
    let sealed = apart.seal(provider.as_str(), &desk.seal, &mut StdRng::from_os_rng());
    let settings = Value::Object(apart.settings);
    let changed = work.tx.update_provider(&tenant, &now, (&settings, &sealed));
    let (view, done) = changed.await?;
    work.changed(done, &Provider::of(view, desk)).await
}
