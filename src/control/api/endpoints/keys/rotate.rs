//! `POST /tenants/{tenant}/keys/{key}/rotate`.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::PREFIX;
use super::create::{CreatedKey, covers};
use super::revoke::Named;
use super::shown_at;
use crate::control::api::Api;
use crate::control::api::authority::Authority;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::work::Stop;

/// For how long both work if nobody says, in hours.
const OVERLAP: u32 = 24;
/// Longest time for which both work, in hours.
const MOST: u32 = 90 * 24;

/// How a key is to be rotated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// For how many hours the former key goes on beside the new one; 24 if nobody says.
    #[schema(minimum = 0, maximum = 2160)]
    overlap_hours: Option<u32>,
}

/// Make a key that takes another one's place
///
/// It has the same holder and the same limits. Both work until the overlap has passed.
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants/{tenant}/keys/{key}/rotate", tag = "keys",
    operation_id = "rotate_key", request_body = Rotation,
    responses((status = 201, description = "Made", body = CreatedKey)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    Path(named): Path<Named>,
    once: Once,
    body: Body<Rotation>,
) -> Result<Response, Stop> {
    let former = named.id()?;
    let hours = body.value.overlap_hours.unwrap_or(OVERLAP);
    if hours > MOST {
        let detail = format!("`overlap_hours` is {MOST} at most.");
        return Err(Problem::refused("invalid", detail).into());
    }
    let site = place.site();
    let work = api.work_once(&caller, &site, &once, &body.bytes);
    let mut work = work.await?;
    let limits = work.tx.limits_of_key(&former).await?;
    covers(&Authority::of(&caller, &api), &api, &place, &limits)?;
    let until = work.tx.now() + TimeDelta::hours(hours.into());
    let (token, key, done) = work
        .tx
        .rotate_api_key(&place.0, &former, until, &api.pepper)
        .await?;
    let location = format!("{PREFIX}/tenants/{}/keys/{}", place.0.slug, key.id);
    let shown = CreatedKey {
        key: shown_at(key, work.tx.now()),
        token: token.reveal().expose_secret().to_owned(),
    };
    let answer = work.created(done, location, &shown).await?;
    api.keys.invalidate(&former);
    Ok(answer)
}
