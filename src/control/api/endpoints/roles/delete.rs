//! `DELETE /tenants/{tenant}/roles/{role}`.

use axum::extract::State;
use axum::response::Response;

use super::{Named, Role, refuse_built_in};
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;

/// Delete a role of the tenant that nobody holds
#[utoipa::path(delete, path = "/.portcullis/api/v1/tenants/{tenant}/roles/{role}", tag = "roles",
    operation_id = "delete_role",
    responses((status = 204, description = "Gone")))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    Path(Named { role }): Path<Named>,
    seen: IfMatch,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let now = work.tx.role_in(place.0.id, &role).await?;
    refuse_built_in(&now)?;
    seen.check(&Role::from(now.clone()))?;
    let authority = Authority::of(&caller, &api);
    authority.covers_patterns(&now.permissions, place.scope())?;
    authority.covers_denials((&now.permissions, &[]), place.scope())?;
    let done = work.tx.delete_custom_role(&place.0, &now).await?;
    work.gone(done).await
}
