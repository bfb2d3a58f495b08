//! `POST /tenants/{tenant}/key-revocations`.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::known;
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::once::Once;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::text::Who;
use crate::control::api::work::Stop;
use crate::domain::{PrincipalKind, Slug};

/// Which keys are to be revoked: one of the two says so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    /// `TENANT/NAME` or id of a service account of the tenant.
    #[schema(value_type = Option<String>, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 254)]
    principal: Option<Who>,
    /// The short name of the tenant, once more: all of its keys, which cannot be undone.
    #[schema(value_type = Option<String>, pattern = r"^[a-z0-9](-?[a-z0-9])*$", max_length = 30)]
    tenant: Option<Slug>,
}

/// What was revoked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revoked {
    /// How many keys.
    revoked: u64,
}

/// Revoke all keys of the tenant, or of one of its service accounts
///
/// What was made before for users, who may act in other tenants, opens nothing in this one any
/// more.
#[utoipa::path(post, path = "/.portcullis/api/v1/tenants/{tenant}/key-revocations", tag = "keys",
    operation_id = "revoke_all_keys", request_body = Whose,
    responses((status = 200, description = "Revoked", body = Revoked)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    once: Once,
    body: Body<Whose>,
) -> Result<Response, Stop> {
    let site = place.site();
    let work = api.work_once(&caller, &site, &once, &body.bytes);
    let mut work = work.await?;
    let (revoked, done) = match (&body.value.principal, &body.value.tenant) {
        (None, Some(tenant)) if *tenant == place.0.slug => work.tx.revoke_all_in(&place.0).await?,
        (Some(Who(name)), None) => {
            let holder = known(&api, place.0.id, name).await?;
            if holder.kind == PrincipalKind::User {
                let detail = "A user may act in other tenants: revoke all keys of the tenant.";
                return Err(Problem::refused("principal_refused", detail).into());
            }
            work.tx.revoke_all_of(&place.0, &holder).await?
        }
        _ => {
            let detail = "Say whose: either `principal`, or in `tenant` the name of this one.";
            return Err(Problem::refused("invalid", detail).into());
        }
    };
    Ok(work.changed(done, &Revoked { revoked }).await?)
}
