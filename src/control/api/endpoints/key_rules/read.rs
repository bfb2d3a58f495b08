//! `GET /tenants/{tenant}/key-rules`.

use axum::extract::State;
use axum::response::Response;

use super::KeyRules;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::work::shown;

/// What a tenant asks of keys
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/key-rules",
    tag = "key rules", operation_id = "read_key_rules",
    responses((status = 200, description = "The rules", body = KeyRules)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
) -> Result<Response, Problem> {
    let mut tx = api.db.read_for(place.claims()).await?;
    let rules = tx.key_rules(place.0.id).await?;
    shown(&KeyRules::from(rules))
}
