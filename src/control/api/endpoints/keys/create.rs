//! `POST /tenants/{tenant}/keys`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{PREFIX, known, unknown};
use super::ApiKey;
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::text::{Text, Who};
use crate::control::api::work::Stop;
use crate::domain::{PrincipalKind, Scope, Slug};
use crate::store::api::{ApiTx, NewApiKey};

/// Most projects, and most patterns, that a key is limited to.
const MOST: usize = 100;

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// `TENANT/NAME` or id of a service account of the tenant.
    #[schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 254)]
    principal: Who,
    /// Short names of the projects that it is limited to.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100)]
    projects: Vec<Slug>,
    /// Patterns that it is limited to: `models:read`, `models:*`, `*:read`.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100)]
    permissions: Vec<Text<130>>,
    /// What it is for.
    #[schema(value_type = Option<String>, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 500)]
    description: Option<Text<500>>,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
}

/// A key just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedKey {
    #[serde(flatten)]
    key: ApiKey,
    /// The whole key. It is shown here and nowhere else.
    token: String,
}

/// Make a key for a service account
///
/// It never permits more than its maker holds.
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants/{tenant}/keys", tag = "keys",
    operation_id = "create_key", request_body = NewKey,
    responses((status = 201, description = "Made", body = CreatedKey)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    once: Once,
    body: Body<NewKey>,
) -> Result<Response, Stop> {
    let site = place.site();
    let work = api.work_once(&caller, &site, &once, &body.bytes);
    let mut work = work.await?;
    let new = resolve(&mut work.tx, &api, &place, body.value).await?;
    may_make(&Authority::of(&caller, &api), &api, &place, &new)?;
    let (token, key, done) = work.tx.create_api_key(&place.0, &new, &api.pepper).await?;
    let location = format!("{PREFIX}/tenants/{}/keys/{}", place.0.slug, key.id);
    let shown = CreatedKey {
        key: key.into(),
        token: token.reveal().expose_secret().to_owned(),
    };
    Ok(work.created(done, location, &shown).await?)
}

async fn resolve(
    tx: &mut ApiTx,
    api: &Api,
    place: &InTenant,
    new: NewKey,
) -> Result<NewApiKey, Problem> {
    let tenant = &place.0;
    let holder = known(api, tenant.id, &new.principal.0).await?;
    if holder.kind == PrincipalKind::User {
        let detail = "A user may act in other tenants: keys are made for service accounts here.";
        return Err(Problem::refused("principal_refused", detail));
    }
    if new.projects.len() > MOST || new.permissions.len() > MOST {
        let detail = format!("At most {MOST} projects and {MOST} patterns.");
        return Err(Problem::refused("invalid", detail));
    }
    if new.expires_at.is_some_and(|at| at <= tx.now()) {
        return Err(Problem::refused("invalid", "The expiry is past."));
    }
    let mut projects = Vec::new();
    for slug in &new.projects {
        let found = tx.project_named(tenant, slug).await;
        projects.push(found.map_err(|error| unknown(error, "project_unknown"))?);
    }
    let permissions: Vec<String> = new.permissions.into_iter().map(|Text(it)| it).collect();
    let catalogue = api.tables.catalogue();
    let (_, unknown) = catalogue.expand(permissions.iter().map(String::as_str));
    if let Some(unknown) = unknown.first() {
        let detail = format!("There is no permission `{unknown}`.");
        return Err(Problem::refused("permission_unknown", detail));
    }
    Ok(NewApiKey {
        holder,
        projects,
        permissions,
        description: new.description.map_or_else(String::new, |Text(it)| it),
        expires_at: new.expires_at,
    })
}

/// What the holder can do with it, wherever it opens, must be the caller's to do there.
fn may_make(
    authority: &Authority<'_>,
    api: &Api,
    place: &InTenant,
    new: &NewApiKey,
) -> Result<(), Problem> {
    let mut scopes: Vec<Scope> = new
        .projects
        .iter()
        .map(|it| Scope::Project(it.id))
        .collect();
    if scopes.is_empty() {
        let table = api.tables.current();
        let own = table.own_projects(new.holder.id).map(Scope::Project);
        scopes.extend(own.chain([place.scope()]));
    }
    for scope in scopes {
        let mut opens = authority.held(new.holder.id, scope);
        if !new.permissions.is_empty() {
            opens.retain(&authority.expand(&new.permissions));
        }
        authority.covers(&opens, scope).map_err(|_| {
            Problem::beyond_authority("With this key its holder could do more than you may.")
        })?;
    }
    Ok(())
}
