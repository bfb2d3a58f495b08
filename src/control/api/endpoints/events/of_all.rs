//! `GET /events`.

use axum::extract::State;
use axum::response::Response;

use super::{EventPage, Wanted, answer};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::OnPlatform;

/// What was done anywhere, the newest first
///
/// In all tenants, and where there is none: refused credentials, requests without a route,
/// changes on the platform.
#[utoipa::path(get, path = "/.portcullis/api/v1/events", tag = "events",
    operation_id = "list_events", params(Wanted),
    responses((status = 200, description = "A page", body = EventPage)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    _: OnPlatform,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    answer(&api, OnPlatform::READS, None, None, wanted).await
}
