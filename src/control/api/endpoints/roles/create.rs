//! `POST /tenants/{tenant}/roles`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::PREFIX;
use super::{Role, patterns};
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::scope::InTenant;
use crate::control::api::text::Text;
use crate::control::api::work::Stop;
use crate::domain::RoleScope;
use crate::store::api::NewCustomRole;

/// A role to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    #[schema(value_type = String, pattern = "^[a-z][a-z0-9_]*$", min_length = 1, max_length = 60)]
    name: Text<60>,
    scope: Bindable,
    /// Patterns: `models:read`, `models:*`, `*:read`, `*:*`.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 200)]
    permissions: Vec<Text<130>>,
}

/// Where a role of a tenant can be bound.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Bindable {
    /// In the tenant.
    Tenant,
    /// In a project.
    Project,
}

/// Make a role
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants/{tenant}/roles", tag = "roles",
    operation_id = "create_role", request_body = NewRole,
    responses((status = 201, description = "Made", body = Role)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    once: Once,
    body: Body<NewRole>,
) -> Result<Response, Stop> {
    let site = place.site();
    let work = api.work_once(&caller, &site, &once, &body.bytes);
    let mut work = work.await?;
    let new = NewCustomRole {
        name: body.value.name.0,
        scope: match body.value.scope {
            Bindable::Tenant => RoleScope::Tenant,
            Bindable::Project => RoleScope::Project,
        },
        permissions: patterns(body.value.permissions)?,
    };
    Authority::of(&caller, &api).covers_patterns(&new.permissions, place.scope())?;
    let catalogue = api.tables.catalogue().clone();
    let (role, done) = work
        .tx
        .create_custom_role(&place.0, &new, &catalogue)
        .await?;
    let location = format!("{PREFIX}/tenants/{}/roles/{}", place.0.slug, role.name);
    Ok(work.created(done, location, &Role::from(role)).await?)
}
