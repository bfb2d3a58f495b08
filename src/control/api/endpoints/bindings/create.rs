//! `POST /tenants/{tenant}/bindings`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{PREFIX, known, unknown};
use super::Binding;
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::text::{Text, Who};
use crate::control::api::work::Stop;
use crate::domain::{ResourceId, Role, RoleScope, Scope, Slug};
use crate::policy::Condition;
use crate::store::api::{self, ApiTx};

/// A binding to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBinding {
    /// E-mail address, id, or `TENANT/NAME` of a service account.
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 254)]
    principal: Who,
    /// Name of a role: of tenants if `project` is left out, else of projects.
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 60)]
    role: Text<60>,
    /// Short name of the project.
    #[schema(value_type = Option<String>, pattern = "^[a-z0-9](-?[a-z0-9])*$", min_length = 1, max_length = 30)]
    project: Option<Slug>,
    /// Id of one resource of the project.
    resource: Option<Uuid>,
    #[serde(default)]
    effect: Effect,
    /// CEL: it counts while this holds.
    #[schema(value_type = Option<String>, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 1000)]
    when: Option<Text<1000>>,
}

/// What a binding does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Effect {
    /// Gives the permissions of the role.
    #[default]
    Allow,
    /// Takes them away, whatever else gives them.
    Deny,
}

/// Bind a role in the tenant, in a project, or on one resource
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants/{tenant}/bindings", tag = "bindings",
    operation_id = "create_binding", request_body = NewBinding,
    responses((status = 201, description = "Made", body = Binding)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    once: Once,
    body: Body<NewBinding>,
) -> Result<Response, Stop> {
    let site = place.site();
    let work = api.work_once(&caller, &site, &once, &body.bytes);
    let mut work = work.await?;
    let new = resolve(&mut work.tx, &api, &place, body.value).await?;
    may_give(&Authority::of(&caller, &api), &place, &new)?;
    let (binding, done) = work.tx.create_binding(&place.0, &new).await?;
    let location = format!("{PREFIX}/tenants/{}/bindings/{}", place.0.slug, binding.id);
    Ok(work
        .created(done, location, &Binding::from(binding))
        .await?)
}

async fn resolve(
    tx: &mut ApiTx,
    api: &Api,
    place: &InTenant,
    new: NewBinding,
) -> Result<api::NewBinding, Problem> {
    let tenant = &place.0;
    let found = tx.role_in(tenant.id, &new.role.0).await;
    let role = found.map_err(|error| unknown(error, "role_unknown"))?;
    let role = role.role(tenant.id)?;
    let project = match &new.project {
        Some(slug) => {
            let found = tx.project_named(tenant, slug).await;
            Some(found.map_err(|error| unknown(error, "project_unknown"))?)
        }
        None => None,
    };
    let resource = match (&project, new.resource.map(ResourceId)) {
        (_, None) => None,
        (Some(project), Some(id)) => {
            let found = tx.resource(project.id, id).await;
            found.map_err(|error| unknown(error, "resource_unknown"))?;
            Some(id)
        }
        (None, Some(_)) => {
            let detail = "A resource belongs to a project: name it.";
            return Err(Problem::refused("project_required", detail));
        }
    };
    fits(&role, project.is_some())?;
    let condition = new.when.map(|Text(text)| text);
    if let Some(text) = &condition {
        let compiled = Condition::compile(text);
        compiled.map_err(|error| Problem::refused("condition_invalid", error.to_string()))?;
    }
    Ok(api::NewBinding {
        principal: known(api, tenant.id, &new.principal.0).await?,
        role,
        project,
        resource,
        deny: new.effect == Effect::Deny,
        condition,
    })
}

fn fits(role: &Role, in_project: bool) -> Result<(), Problem> {
    let wanted = if in_project {
        RoleScope::Project
    } else {
        RoleScope::Tenant
    };
    if role.tenant.is_none() && role.name == "owner" {
        let detail = "A project has one owner: give the project to somebody else instead.";
        return Err(Problem::refused("role_refused", detail));
    }
    if role.scope != wanted {
        let detail = format!("`{}` is a role of a {}.", role.name, role.scope.as_str());
        return Err(Problem::refused("role_refused", detail));
    }
    Ok(())
}

/// What a binding gives must be the caller's to give. One that takes away must not be against
/// somebody who holds more than the caller.
fn may_give(
    authority: &Authority<'_>,
    place: &InTenant,
    new: &api::NewBinding,
) -> Result<(), Problem> {
    let project = new.project.as_ref();
    let scope = project.map_or(place.scope(), |project| Scope::Project(project.id));
    authority.covers_role(&new.role, scope)?;
    if new.deny || Authority::takes(&new.role) {
        authority.covers(&authority.held(new.principal.id, scope), scope)?;
    }
    Ok(())
}
