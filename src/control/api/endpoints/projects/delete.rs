//! `DELETE /tenants/{tenant}/projects/{project}`.

use axum::extract::State;
use axum::response::Response;

use super::Project;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;

/// Delete a project with its memberships
///
/// Refused with 409 while it owns resources, or keys in force are limited to it: move or release
/// the ones, revoke the others. Its short name is never given again in the tenant.
#[utoipa::path(delete, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}",
    tag = "projects", operation_id = "delete_project",
    responses((status = 204, description = "Gone")))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    seen: IfMatch,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let (tenant, project) = place.place();
    let now = work.tx.project(project.id).await?;
    seen.check(&Project::from(now))?;
    let done = work.tx.delete_project(tenant, project).await?;
    work.gone(done).await
}
