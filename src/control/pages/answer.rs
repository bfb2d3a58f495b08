//! A page as an answer.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::visitor::Visitor;
use crate::domain::ReturnPath;

/// Nothing but this page, its stylesheet, and forms that lead to this site.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
/// The same, and the one script.
const SCRIPTED: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                        base-uri 'none'; frame-ancestors 'none'; script-src 'self'; \
                        connect-src 'self'";

/// A page that says one thing.
#[derive(Debug, Template)]
#[template(path = "message.html")]
struct Message<'a> {
    title: &'a str,
    text: &'a str,
    request_id: &'a str,
}

/// A page.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    let Ok(html) = page.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page on which passkeys are used.
pub(super) fn scripted_page(status: StatusCode, shown: &impl Template) -> Response {
    let mut response = page(status, shown);
    let policy = HeaderValue::from_static(SCRIPTED);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// A page of ours, and where to go from there.
pub(super) fn with_return(page: &str, back: &ReturnPath) -> String {
    let back = utf8_percent_encode(back.as_str(), NON_ALPHANUMERIC);
    format!("{page}?return={back}")
}

/// A page that says what went wrong.
pub(super) fn message(visitor: &Visitor, status: StatusCode, title: &str, text: &str) -> Response {
    let request_id = &visitor.request.request_id;
    page(
        status,
        &Message {
            title,
            text,
            request_id,
        },
    )
}

/// On to another page, by GET.
pub(super) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
