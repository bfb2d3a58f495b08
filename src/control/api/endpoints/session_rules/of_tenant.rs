//! `GET /tenants/{tenant}/session-rules`.

use axum::extract::State;
use axum::response::Response;

use super::SessionRules;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::control::api::work::shown;

/// What a tenant asks of sessions
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/session-rules",
    tag = "session rules", operation_id = "read_session_rules_of_tenant",
    responses((status = 200, description = "The rules", body = SessionRules)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
) -> Result<Response, Problem> {
    let mut tx = api.db.read_for(place.claims()).await?;
    let rules = tx.rules_of_tenant(place.0.id).await?;
    shown(&SessionRules::from(rules))
}
