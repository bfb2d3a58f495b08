//! `PATCH /tenants/{tenant}/projects/{project}/members/{member}`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Member, Named, may_take, project_role};
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::control::api::text::Text;
use crate::domain::PrincipalId;

/// What is to change of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberChange {
    /// Name of the role that takes the place of all that the member has.
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 60)]
    role: Text<60>,
}

/// Give a member another role
#[utoipa::path(patch,
    path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/members/{member}",
    tag = "members", operation_id = "update_member", request_body = MemberChange,
    responses((status = 200, description = "Changed", body = Member)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    Path(Named { member }): Path<Named>,
    seen: IfMatch,
    body: Body<MemberChange>,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let (tenant, project) = place.place();
    let now = work.tx.member(project.id, PrincipalId(member)).await?;
    seen.check(&Member::from(now.clone()))?;
    let role = project_role(&mut work.tx, tenant.id, &body.value.role.0).await?;
    let authority = Authority::of(&caller, &api);
    authority.covers_role(&role, place.scope())?;
    may_take(
        &mut work.tx,
        &authority,
        &place,
        (PrincipalId(member), &now.roles),
    )
    .await?;
    let changed = work.tx.set_member_role((tenant, project), &now, &role);
    let (changed, done) = changed.await?;
    work.changed(done, &Member::from(changed)).await
}
