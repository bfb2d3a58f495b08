//! `GET /.well-known/portcullis/jwks.json`: the public parts of the signing keys.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::routing::get;

use crate::authn::SigningKeys;

/// Verifiers may keep them for a third of the time that a new key is shown before it signs.
const KEPT: &str = "public, max-age=300";

type Answer = ([(HeaderName, &'static str); 2], String);

pub(super) fn router(keys: Arc<SigningKeys>) -> Router {
    Router::new()
        .route("/.well-known/portcullis/jwks.json", get(handle))
        .with_state(keys)
}

async fn handle(State(keys): State<Arc<SigningKeys>>) -> Answer {
    let headers = [
        (header::CACHE_CONTROL, KEPT),
        (header::CONTENT_TYPE, "application/json"),
    ];
    (headers, keys.public().to_string())
}
