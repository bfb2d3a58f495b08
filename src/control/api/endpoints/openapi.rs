//! `GET /.portcullis/openapi.json`: the description of the API.

use axum::extract::State;
use axum::response::Response;

use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::work::listed;
use crate::control::api::{Api, document};

/// The description of this API
#[utoipa::path(get, path = "/.portcullis/openapi.json", tag = "about", operation_id = "describe",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn handle(State(_): State<Api>, _: Caller) -> Result<Response, Problem> {
    listed(&document())
}
