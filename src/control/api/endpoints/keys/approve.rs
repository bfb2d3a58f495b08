//! `POST /tenants/{tenant}/keys/{key}/approve`.

use axum::extract::State;
use axum::response::Response;

use super::revoke::Named;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::path::Path;
use crate::control::api::scope::{InTenant, Site};
use crate::control::api::work::Stop;
use crate::store::Claims;

/// Approve a key for the tenant
///
/// Where its `key-rules` ask for that, a new key opens nothing before.
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants/{tenant}/keys/{key}/approve", tag = "keys",
    operation_id = "approve_key",
    responses((status = 204, description = "Approved")))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    Path(named): Path<Named>,
    once: Once,
) -> Result<Response, Stop> {
    let id = named.id()?;
    // It may be a user's, who is no tenant's: what the key is for decides.
    let site = Site {
        claims: Claims::Gateway,
        ..place.site()
    };
    let mut work = api.work_once(&caller, &site, &once, &[]).await?;
    let done = work.tx.approve_api_key(&place.0, &id).await?;
    let answer = work.gone(done).await?;
    api.keys.invalidate(&id);
    Ok(answer)
}
