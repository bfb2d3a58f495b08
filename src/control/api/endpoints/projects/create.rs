//! `POST /tenants/{tenant}/projects`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{PREFIX, known};
use super::Project;
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::endpoints::members::project_role;
use crate::control::api::once::Once;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::text::{Text, Who};
use crate::control::api::work::Stop;
use crate::domain::Slug;
use crate::store::api;

/// Most members that a project is made with.
const MOST: usize = 100;

/// A project to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// The short name, which never changes and is never given again.
    #[schema(value_type = String, pattern = "^[a-z0-9](-?[a-z0-9])*$", min_length = 1, max_length = 30)]
    slug: Slug,
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 200)]
    name: Text<200>,
    /// E-mail address, id, or `TENANT/NAME` of a service account; left out: the caller.
    #[schema(value_type = Option<String>, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 254)]
    owner: Option<Who>,
    /// Who else is in it.
    #[serde(default)]
    #[schema(max_items = 100)]
    members: Vec<NewMember>,
}

/// A member to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    /// E-mail address, id, or `TENANT/NAME` of a service account.
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 254)]
    pub(crate) principal: Who,
    /// Name of a role of projects.
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 60)]
    pub(crate) role: Text<60>,
}

/// Make a project
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants/{tenant}/projects", tag = "projects",
    operation_id = "create_project", request_body = NewProject,
    responses((status = 201, description = "Made", body = Project)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    once: Once,
    body: Body<NewProject>,
) -> Result<Response, Stop> {
    if body.value.members.len() > MOST {
        let detail = format!("A project is made with {MOST} members at most.");
        return Err(Problem::refused("invalid", detail).into());
    }
    let site = place.site();
    let work = api.work_once(&caller, &site, &once, &body.bytes);
    let mut work = work.await?;
    let tenant = &place.0;
    let new = resolve(&mut work.tx, &api, &caller, &place, body.value).await?;
    let (project, done) = work.tx.create_project(tenant, &new).await?;
    let location = format!("{PREFIX}/tenants/{}/projects/{}", tenant.slug, new.slug);
    Ok(work
        .created(done, location, &Project::from(project))
        .await?)
}

/// Finds all that is named. The owner's role and the members' must be the caller's to give.
async fn resolve(
    tx: &mut api::ApiTx,
    api: &Api,
    caller: &Caller,
    place: &InTenant,
    new: NewProject,
) -> Result<api::NewProject, Problem> {
    let authority = Authority::of(caller, api);
    let tenant = &place.0;
    let owner = match &new.owner {
        None => (*caller.principal).clone(),
        Some(Who(name)) => known(api, tenant.id, name).await?,
    };
    let owner_role = tx.role_in(tenant.id, "owner").await?.role(tenant.id)?;
    authority.covers_role(&owner_role, place.scope())?;
    let mut members = Vec::new();
    for NewMember { principal, role } in &new.members {
        let member = known(api, tenant.id, &principal.0).await?;
        let role = project_role(tx, tenant.id, &role.0).await?;
        authority.covers_role(&role, place.scope())?;
        members.push((member, role));
    }
    Ok(api::NewProject {
        slug: new.slug,
        name: new.name.0,
        owner,
        members,
    })
}
