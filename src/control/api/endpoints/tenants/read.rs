//! `GET /tenants/{tenant}`.

use axum::extract::State;
use axum::response::Response;

use super::Tenant;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::work::shown;

/// One tenant
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}", tag = "tenants",
    operation_id = "read_tenant",
    responses((status = 200, description = "The tenant", body = Tenant)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
) -> Result<Response, Problem> {
    let mut tx = api.db.read_for(place.claims()).await?;
    shown(&Tenant::from(tx.tenant(place.0.id).await?))
}
