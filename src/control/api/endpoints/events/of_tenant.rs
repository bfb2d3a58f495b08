//! `GET /tenants/{tenant}/events`.

use axum::extract::State;
use axum::response::Response;

use super::{EventPage, Wanted, answer};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InTenant;

/// What was done in a tenant, the newest first
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/events", tag = "events",
    operation_id = "list_events_of_tenant", params(Wanted),
    responses((status = 200, description = "A page", body = EventPage)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    answer(&api, place.claims(), Some(place.0.id), None, wanted).await
}
