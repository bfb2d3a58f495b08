//! What pages are made of besides text.

use axum::http::header;
use axum::response::IntoResponse;

const STYLESHEET: &str = include_str!("../../../templates/portcullis.css");

/// The stylesheet.
pub(super) async fn stylesheet() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, STYLESHEET)
}

const ONWARD: &str = include_str!("../../../templates/onward.js");
const PASSKEYS: &str = include_str!("../../../templates/passkeys.js");

/// What passkeys need: no browser gives them to a page without a script.
pub(super) async fn passkeys() -> impl IntoResponse {
    script(PASSKEYS)
}

/// What sends a form on.
pub(super) async fn onward() -> impl IntoResponse {
    script(ONWARD)
}

fn script(text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text)
}
