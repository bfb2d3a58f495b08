//! `POST /tenants`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::PREFIX;
use super::Tenant;
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::scope::OnPlatform;
use crate::control::api::text::Text;
use crate::control::api::work::Stop;
use crate::domain::Slug;

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    /// The short name, which stands in paths and headers and never changes.
    #[schema(value_type = String, pattern = "^[a-z0-9](-?[a-z0-9])*$", min_length = 1, max_length = 30)]
    slug: Slug,
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 200)]
    name: Text<200>,
}

/// Make a tenant
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants", tag = "tenants",
    operation_id = "create_tenant", request_body = NewTenant,
    responses((status = 201, description = "Made", body = Tenant)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    _: OnPlatform,
    once: Once,
    body: Body<NewTenant>,
) -> Result<Response, Stop> {
    let work = api.work_once(&caller, &OnPlatform::SITE, &once, &body.bytes);
    let mut work = work.await?;
    let NewTenant { slug, name } = body.value;
    let (tenant, done) = work.tx.create_tenant(&slug, &name.0).await?;
    let location = format!("{PREFIX}/tenants/{slug}");
    Ok(work.created(done, location, &Tenant::from(tenant)).await?)
}
