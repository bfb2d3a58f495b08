//! `POST /tenants/{tenant}/projects/{project}/members`.

use axum::extract::State;
use axum::response::Response;

use super::super::{PREFIX, known};
use super::{Member, project_role};
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::endpoints::projects::create::NewMember;
use crate::control::api::once::Once;
use crate::control::api::scope::InProject;
use crate::control::api::work::Stop;

/// Add a member to a project
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/members",
    tag = "members", operation_id = "add_member", request_body = NewMember,
    responses((status = 201, description = "Added", body = Member)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    once: Once,
    body: Body<NewMember>,
) -> Result<Response, Stop> {
    let site = place.site();
    let work = api.work_once(&caller, &site, &once, &body.bytes);
    let mut work = work.await?;
    let (tenant, project) = place.place();
    let who = known(&api, tenant.id, &body.value.principal.0).await?;
    let role = project_role(&mut work.tx, tenant.id, &body.value.role.0).await?;
    Authority::of(&caller, &api).covers_role(&role, place.scope())?;
    let (member, done) = work
        .tx
        .add_member_to((tenant, project), &who, &role)
        .await?;
    let (t, p) = (&tenant.slug, &project.slug);
    let location = format!("{PREFIX}/tenants/{t}/projects/{p}/members/{}", who.id);
    Ok(work.created(done, location, &Member::from(member)).await?)
}
