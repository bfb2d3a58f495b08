//! `PATCH /tenants/{tenant}/projects/{project}`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Project;
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::control::api::text::Text;

/// What is to change of a project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectChange {
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 200)]
    name: Text<200>,
}

/// Give a project another display name
#[utoipa::path(patch, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}",
    tag = "projects", operation_id = "update_project", request_body = ProjectChange,
    responses((status = 200, description = "Changed", body = Project)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    seen: IfMatch,
    body: Body<ProjectChange>,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let now = work.tx.project(place.project.id).await?;
    seen.check(&Project::from(now))?;
    let (tenant, project) = place.place();
    let name = &body.value.name.0;
    let (changed, done) = work.tx.rename_project(tenant, project, name).await?;
    work.changed(done, &Project::from(changed)).await
}
