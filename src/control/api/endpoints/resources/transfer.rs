//! `PUT /tenants/{tenant}/projects/{project}/resources/{resource}/project`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::unknown;
use super::{Named, Resource};
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::domain::{ResourceId, Scope, Slug};

/// What it takes at the other project.
const PERMISSION: &str = "resources:manage";

/// To which project a resource is to belong.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPlace {
    /// Short name of another project of the tenant, where the caller holds `resources:manage`
    /// too.
    #[schema(value_type = String, pattern = "^[a-z0-9](-?[a-z0-9])*$", min_length = 1, max_length = 30)]
    project: Slug,
}

/// Give a resource to another project of the tenant
///
/// Bindings on it end.
#[utoipa::path(put,
    path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/resources/{resource}/project",
    tag = "resources", operation_id = "move_resource", request_body = NewPlace,
    responses((status = 200, description = "Moved", body = Resource)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    Path(Named { resource }): Path<Named>,
    seen: IfMatch,
    body: Body<NewPlace>,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let id = ResourceId(resource);
    let now = work.tx.resource(place.project.id, id).await?;
    seen.check(&Resource::from(now.clone()))?;
    let to = work
        .tx
        .project_named(&place.tenant, &body.value.project)
        .await;
    let to = to.map_err(|error| unknown(error, "project_unknown"))?;
    // One that the caller may not see is answered like one that is not there.
    Authority::of(&caller, &api)
        .covers_patterns(&[PERMISSION.to_owned()], Scope::Project(to.id))
        .map_err(|_| {
            let detail = format!("no project `{}`", to.slug);
            Problem::refused("project_unknown", detail)
        })?;
    let moved = work.tx.move_resource(place.place(), &now, &to).await;
    let (moved, done) = moved?;
    work.changed(done, &Resource::from(moved)).await
}
