//! `POST /tenants/{tenant}/keys`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{PREFIX, known, unknown};
use super::{ApiKey, shown_at};
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::text::{Text, Who};
use crate::control::api::work::Stop;
use crate::domain::{PrincipalKind, Quota, Scope, Slug};
use crate::store::api::{ApiTx, KeyLimits, NewApiKey};

/// Most networks that a key is limited to.
const MOST_NETWORKS: usize = 50;
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
    /// Networks that it may be used from: `10.0.0.0/8`, `2001:db8::/32`.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 50)]
    networks: Vec<IpNet>,
    /// How many requests it may send, beside what others are limited to: `100/m`.
    #[schema(pattern = r"^[1-9][0-9]{0,6}/[smhd]$")]
    rate: Option<String>,
    /// When it ends by itself; as the tenant's `key-rules` have it if nobody says.
    expires_at: Option<DateTime<Utc>>,
}

/// A key just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedKey {
    #[serde(flatten)]
    pub(super) key: ApiKey,
    /// The whole key. It is shown here and nowhere else.
    pub(super) token: String,
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
    let mut new = resolve(&mut work.tx, &api, &place, body.value).await?;
    let authority = Authority::of(&caller, &api);
    covers(&authority, &api, &place, &new.limits())?;
    new.approved_for = authority.approves_keys(place.scope()).then_some(place.0.id);
    let (token, key, done) = work.tx.create_api_key(&place.0, &new, &api.pepper).await?;
    let location = format!("{PREFIX}/tenants/{}/keys/{}", place.0.slug, key.id);
    let shown = CreatedKey {
        key: shown_at(key, work.tx.now()),
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
    if new.networks.len() > MOST_NETWORKS {
        let detail = format!("At most {MOST_NETWORKS} networks.");
        return Err(Problem::refused("invalid", detail));
    }
    let rate = new.rate.as_deref().map(str::parse::<Quota>).transpose();
    let rate = rate.map_err(|error| Problem::refused("invalid", format!("`rate`: {error}.")))?;
    Ok(NewApiKey {
        holder,
        projects,
        permissions,
        description: new.description.map_or_else(String::new, |Text(it)| it),
        networks: new.networks.iter().map(IpNet::trunc).collect(),
        rate,
        approved_for: None,
        expires_at: new.expires_at,
    })
}

/// What the holder can do with it, wherever it opens, must be the caller's to do there.
pub(super) fn covers(
    authority: &Authority<'_>,
    api: &Api,
    place: &InTenant,
    limits: &KeyLimits,
) -> Result<(), Problem> {
    let projects = limits.projects.iter().flatten();
    let mut scopes: Vec<Scope> = projects.copied().map(Scope::Project).collect();
    if limits.projects.is_none() {
        let table = api.tables.current();
        let own = table.own_projects(limits.holder).map(Scope::Project);
        scopes.extend(own.chain([place.scope()]));
    }
    for scope in scopes {
        let mut opens = authority.held(limits.holder, scope);
        if let Some(permissions) = &limits.permissions {
            opens.retain(&authority.expand(permissions));
        }
        authority.covers(&opens, scope).map_err(|_| {
            Problem::beyond_authority("With this key its holder could do more than you may.")
        })?;
    }
    Ok(())
}
