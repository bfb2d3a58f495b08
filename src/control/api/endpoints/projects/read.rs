//! `GET /tenants/{tenant}/projects/{project}`.

use axum::extract::State;
use axum::response::Response;

use super::Project;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::control::api::work::shown;

/// One project
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}",
    tag = "projects", operation_id = "read_project",
    responses((status = 200, description = "The project", body = Project)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InProject,
) -> Result<Response, Problem> {
    let mut tx = api.db.read_for(place.claims()).await?;
    shown(&Project::from(tx.project(place.project.id).await?))
}
