//! `GET /me`: who the caller is, and what they hold where.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::work::listed;
use crate::control::own_form;
use crate::domain::{PrincipalKind, Scope};
use crate::policy::{Grant, RoleTable};

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    id: Uuid,
    /// `user` or `service_account`.
    kind: &'static str,
    email: Option<String>,
    name: String,
    /// Whether they have a second factor; null: they are no person.
    mfa_enabled: Option<bool>,
    /// Public id of the API key, or of the session.
    credential: Option<String>,
    /// Short names of the projects, with their tenants, that the key is limited to; null: it is
    /// not limited to any.
    limited_to: Option<Vec<String>>,
    /// With a session: what a request that changes something sends as `X-CSRF-Token`.
    csrf_token: Option<String>,
    roles: Vec<RoleHeld>,
}

/// A role of the caller.
#[derive(Debug, Serialize, ToSchema)]
struct RoleHeld {
    role: String,
    /// `platform`, `tenant`, `project` or `resource`.
    scope: &'static str,
    /// `allow`, or `deny` if it takes away.
    effect: &'static str,
    /// Whether it counts only while a condition holds.
    conditional: bool,
    tenant: Option<String>,
    project: Option<String>,
}

/// Who you are, and which roles you hold
#[utoipa::path(get, path = "/.portcullis/api/v1/me", tag = "about", operation_id = "me",
    responses((status = 200, description = "The caller", body = Me)))]
pub(crate) async fn handle(State(api): State<Api>, caller: Caller) -> Result<Response, Problem> {
    let table = api.tables.current();
    let principal = &caller.principal;
    let limits = caller.limits.projects.as_ref();
    let limited_to = limits.map(|ids| {
        let paths = ids
            .iter()
            .filter_map(|id| path(&table, Scope::Project(*id)));
        paths
            .map(|(tenant, project)| format!("{tenant}/{}", project.unwrap_or_default()))
            .collect()
    });
    let mfa_enabled = match principal.kind {
        PrincipalKind::User => Some(api.db.factors(principal.id).await?.any()),
        PrincipalKind::ServiceAccount => None,
    };
    listed(&Me {
        id: principal.id.0,
        kind: principal.kind.as_str(),
        email: principal.email.clone(),
        name: principal.name.clone(),
        mfa_enabled,
        credential: caller.limits.id.as_ref().map(ToString::to_string),
        limited_to,
        csrf_token: caller
            .session
            .map(|session| own_form::token(&api.pepper, session)),
        roles: table
            .grants_of(principal.id)
            .map(|grant| held(&table, grant))
            .collect(),
    })
}

fn held(table: &RoleTable, grant: &Grant) -> RoleHeld {
    let (tenant, project) = path(table, grant.scope).unzip();
    RoleHeld {
        role: grant.role.name.clone(),
        scope: match grant.scope {
            Scope::Platform => "platform",
            Scope::Tenant(_) => "tenant",
            Scope::Project(_) => "project",
            Scope::Resource { .. } => "resource",
        },
        effect: grant.effect.as_str(),
        conditional: grant.condition.is_some(),
        tenant,
        project: project.flatten(),
    }
}

fn path(table: &RoleTable, scope: Scope) -> Option<(String, Option<String>)> {
    let (tenant, project) = match scope {
        Scope::Platform => return None,
        Scope::Tenant(tenant) => (tenant, None),
        Scope::Project(project) | Scope::Resource { project, .. } => {
            let project = table.project(project)?;
            (project.tenant, Some(project.slug.to_string()))
        }
    };
    Some((table.tenant(tenant)?.slug.to_string(), project))
}
