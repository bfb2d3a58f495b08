//! `GET /tenants/{tenant}/roles/{role}`.

use axum::extract::State;
use axum::response::Response;

use super::{Named, Role};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::work::shown;

/// One role, by name
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/roles/{role}", tag = "roles",
    operation_id = "read_role",
    responses((status = 200, description = "The role", body = Role)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
    Path(Named { role }): Path<Named>,
) -> Result<Response, Problem> {
    let mut tx = api.db.read_for(place.claims()).await?;
    shown(&Role::from(tx.role(place.0.id, &role).await?))
}
