//! `DELETE /tenants/{tenant}/bindings/{binding}`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::caller::Caller;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::domain::{BindingId, PrincipalId};

/// `{binding}` in a path.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    binding: Uuid,
}

/// Delete a binding
///
/// It never changes, so there is nothing to match.
#[utoipa::path(delete, path = "/.portcullis/api/v1/tenants/{tenant}/bindings/{binding}",
    tag = "bindings", operation_id = "delete_binding",
    responses((status = 204, description = "Gone")))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    Path(Named { binding }): Path<Named>,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let binding = work.tx.binding(place.0.id, BindingId(binding)).await?;
    let role = work.tx.role_in(place.0.id, &binding.role).await?;
    let role = role.role(place.0.id)?;
    let authority = Authority::of(&caller, &api);
    authority.covers_role(&role, place.scope())?;
    authority.covers_release(PrincipalId(binding.principal_id), &role, place.scope())?;
    let done = work.tx.delete_binding(&place.0, &binding).await?;
    work.gone(done).await
}
