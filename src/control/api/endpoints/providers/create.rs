//! `POST /providers`.

use axum::extract::State;
use axum::response::Response;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::PREFIX;
use super::{Provider, checked, tenant_of};
use crate::authn::Apart;
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::problem::Problem;
use crate::control::api::scope::OnPlatform;
use crate::control::api::strict::Strict;
use crate::control::api::work::Stop;
use crate::domain::Slug;
use crate::store::api::StoredProvider;

/// A sign-in provider to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProvider {
    /// In paths and events. It never changes, and is not to be given to another one later.
    #[schema(value_type = String, pattern = "^[a-z0-9](-?[a-z0-9])*$", min_length = 1, max_length = 30)]
    name: Slug,
    /// Short name of the tenant whose people it knows.
    #[schema(value_type = String, pattern = "^[a-z0-9](-?[a-z0-9])*$", min_length = 1, max_length = 30)]
    tenant: Slug,
    /// As an entry of `sign_in.providers` in the configuration: `label`, `oidc` or another kind,
    /// `domains` and so on. No file can be named.
    #[schema(value_type = Object)]
    settings: Strict,
}

/// Have people of a tenant sign in at another service
#[utoipa::path(post, path = "/.portcullis/api/v1/providers", tag = "providers",
    operation_id = "create_provider", request_body = NewProvider,
    responses((status = 201, description = "Made", body = Provider)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    _: OnPlatform,
    once: Once,
    body: Body<NewProvider>,
) -> Result<Response, Stop> {
    let desk = &api.providers;
    if !desk.is_open {
        let detail = "People do not sign in here: `sign_in.public_url` is not configured.";
        return Err(Problem::conflict("sign_in_off", detail).into());
    }
    let work = api.work_once(&caller, &OnPlatform::SITE, &once, &body.bytes);
    let mut work = work.await?;
    let NewProvider {
        name,
        tenant,
        settings,
    } = body.value;
    let tenant = tenant_of(&api, tenant.as_str())?;
    let apart = Apart::new(settings.0);
    checked(&api, &apart, (&name, &tenant.slug)).await?;
    if desk.configured.iter().any(|it| it.name == name) {
        let detail = format!("There is a provider `{name}` in the configuration.");
        return Err(Problem::conflict("conflict", detail).into());
    }
    let new = StoredProvider {
        sealed: apart.seal(name.as_str(), &desk.seal, &mut StdRng::from_os_rng()),
        name: name.to_string(),
        tenant: tenant.slug.to_string(),
        settings: Value::Object(apart.settings),
    };
    let (view, done) = work.tx.create_provider(&tenant, &new).await?;
    let location = format!("{PREFIX}/providers/{name}");
    let shown = Provider::of(view, desk);
    Ok(work.created(done, location, &shown).await?)
}
