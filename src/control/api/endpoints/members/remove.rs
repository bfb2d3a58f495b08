//! `DELETE /tenants/{tenant}/projects/{project}/members/{member}`.

use axum::extract::State;
use axum::response::Response;

use super::{Member, Named, may_take};
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::domain::PrincipalId;

/// Take all roles of a project from a member, those on single resources included
#[utoipa::path(delete,
    path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/members/{member}",
    tag = "members", operation_id = "remove_member",
    responses((status = 204, description = "Gone")))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    Path(Named { member }): Path<Named>,
    seen: IfMatch,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let (project, who) = (place.project.id, PrincipalId(member));
    let now = work.tx.member(project, who).await?;
    seen.check(&Member::from(now.clone()))?;
    let authority = Authority::of(&caller, &api);
    let roles = work.tx.roles_of_member(project, who).await?;
    may_take(&mut work.tx, &authority, &place, (who, &roles)).await?;
    let done = work.tx.remove_member_of(place.place(), &now).await?;
    work.gone(done).await
}
