//! SCIM 2.0 (RFC 7643, RFC 7644): the directory of a tenant says who its people and groups are.
//!
//! A user of the directory has an account, by their address; a group stands for roles. Who is
//! deactivated or removed there has lost the tenant, at once, and with it their sessions and keys.

mod answer;
mod discovery;
mod filter;
mod groups;
mod listing;
mod normal;
mod patch;
mod people;
mod read;
mod schema;
mod users;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::routing::{get, post};

use self::answer::{Refusal, in_its_words};
use super::Api;

/// Longest body, in bytes: a group with all its members is one.
const MAX_BODY: usize = 1 << 20;

/// All of it, below `/.portcullis/scim/v2/{tenant}`.
pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/ServiceProviderConfig", get(discovery::configuration))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{id}", get(discovery::schema))
        .route("/.search", post(users::search_all))
        .route("/Users/.search", post(users::search))
        .route("/Groups/.search", post(groups::search))
        .route("/Users", get(users::list).post(users::create))
        .route(
            "/Users/{id}",
            get(users::read)
                .put(users::replace)
                .patch(users::modify)
                .delete(users::remove),
        )
        .route("/Groups", get(groups::list).post(groups::create))
        .route(
            "/Groups/{id}",
            get(groups::read)
                .put(groups::replace)
                .patch(groups::modify)
                .delete(groups::remove),
        )
        .fallback(async || Refusal::not_found())
        .method_not_allowed_fallback(async || {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            Refusal::new(status, None, "This path does not take this method.")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(in_its_words))
}
