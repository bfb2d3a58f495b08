//! `PUT /tenants/{tenant}/projects/{project}/owner`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::known;
use super::Project;
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::endpoints::members::project_role;
use crate::control::api::etag::IfMatch;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::control::api::text::Who;

/// Role that the former owner stays with.
const FORMER_OWNER: &str = "editor";

/// Who is to own the project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOwner {
    /// E-mail address, id, or `TENANT/NAME` of a service account.
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 254)]
    owner: Who,
}

/// Give a project to another owner
///
/// The former one stays in it as `editor`.
#[utoipa::path(put, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/owner",
    tag = "projects", operation_id = "transfer_project", request_body = NewOwner,
    responses((status = 200, description = "Given", body = Project)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    seen: IfMatch,
    body: Body<NewOwner>,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let (tenant, project) = place.place();
    let now = work.tx.project(project.id).await?;
    let owner = now.owner_id;
    seen.check(&Project::from(now))?;
    let role = work.tx.role_in(tenant.id, "owner").await?.role(tenant.id)?;
    Authority::of(&caller, &api).covers_role(&role, place.scope())?;
    let to = known(&api, tenant.id, &body.value.owner.0).await?;
    if to.id.0 == owner {
        let detail = format!("`{}` owns the project already.", to.label());
        return Err(Problem::conflict("conflict", detail));
    }
    let editor = project_role(&mut work.tx, tenant.id, FORMER_OWNER).await?;
    let (changed, done) = work.tx.transfer(tenant, project, &to, &editor).await?;
    work.changed(done, &Project::from(changed)).await
}
