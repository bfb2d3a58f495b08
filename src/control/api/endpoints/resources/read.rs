//! `GET /tenants/{tenant}/projects/{project}/resources/{resource}`.

use axum::extract::State;
use axum::response::Response;

use super::{Named, Resource};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::control::api::work::shown;
use crate::domain::ResourceId;

/// One resource of a project
#[utoipa::path(get,
    path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/resources/{resource}",
    tag = "resources", operation_id = "read_resource",
    responses((status = 200, description = "The resource", body = Resource)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InProject,
    Path(Named { resource }): Path<Named>,
) -> Result<Response, Problem> {
    let mut tx = api.db.read_for(place.claims()).await?;
    let found = tx.resource(place.project.id, ResourceId(resource)).await?;
    shown(&Resource::from(found))
}
