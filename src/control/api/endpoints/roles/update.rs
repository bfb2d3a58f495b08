//! `PATCH /tenants/{tenant}/roles/{role}`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Named, Role, patterns, refuse_built_in};
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::text::Text;

/// What is to change of a role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleChange {
    /// Patterns that take the place of those there are.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 200)]
    permissions: Vec<Text<130>>,
}

/// Change what a role of the tenant permits, for all who hold it
#[utoipa::path(patch, path = "/.portcullis/api/v1/tenants/{tenant}/roles/{role}", tag = "roles",
    operation_id = "update_role", request_body = RoleChange,
    responses((status = 200, description = "Changed", body = Role)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    Path(Named { role }): Path<Named>,
    seen: IfMatch,
    body: Body<RoleChange>,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let now = work.tx.role_in(place.0.id, &role).await?;
    refuse_built_in(&now)?;
    seen.check(&Role::from(now.clone()))?;
    let permissions = patterns(body.value.permissions)?;
    let authority = Authority::of(&caller, &api);
    authority.covers_patterns(&now.permissions, place.scope())?;
    authority.covers_patterns(&permissions, place.scope())?;
    authority.covers_denials((&now.permissions, &permissions), place.scope())?;
    let catalogue = api.tables.catalogue().clone();
    let changed = work
        .tx
        .update_custom_role(&place.0, &now, &permissions, &catalogue);
    let (changed, done) = changed.await?;
    work.changed(done, &Role::from(changed)).await
}
