//! `GET /tenants/{tenant}/projects/{project}/members/{member}`.

use axum::extract::State;
use axum::response::Response;

use super::{Member, Named};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::control::api::work::shown;
use crate::domain::PrincipalId;

/// One member of a project
#[utoipa::path(get,
    path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/members/{member}",
    tag = "members", operation_id = "read_member",
    responses((status = 200, description = "The member", body = Member)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InProject,
    Path(Named { member }): Path<Named>,
) -> Result<Response, Problem> {
    let mut tx = api.db.read_for(place.claims()).await?;
    let found = tx.member(place.project.id, PrincipalId(member)).await?;
    shown(&Member::from(found))
}
