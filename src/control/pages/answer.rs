//! A page as an answer.

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::visitor::Visitor;
use crate::control::told::told;
use crate::domain::{PAGE_FIELDS, ReturnPath};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// As [`PAGE_FIELDS`] has it, and the one script.
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
    /// Where to go on.
    next: Option<&'a str>,
}

/// A page.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    let Ok(html) = page.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    for (name, value) in PAGE_FIELDS {
        let name = HeaderName::from_static(name);
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page on which passkeys may be used: only with them it has the script.
pub(super) fn scripted_page(
    status: StatusCode,
    shown: &impl Template,
    has_script: bool,
) -> Response {
    let mut response = page(status, shown);
    if has_script {
        let policy = HeaderValue::from_static(SCRIPTED);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A page of ours, and where to go from there.
pub(super) fn with_return(page: &str, back: &ReturnPath) -> String {
    let back = utf8_percent_encode(back.as_str(), NON_ALPHANUMERIC);
    format!("{page}?return={back}")
}

/// A page that says what went wrong.
pub(super) fn message(visitor: &Visitor, status: StatusCode, title: &str, text: &str) -> Response {
    let shown = Message {
        title,
        text,
        request_id: &visitor.request.request_id,
        next: None,
    };
    page(status, &shown)
}

/// They go on at another service.
pub(super) fn onward(visitor: &Visitor, to: &str) -> Response {
    let shown = Message {
        title: "One moment",
        text: "You sign in at another service.",
        request_id: &visitor.request.request_id,
        next: Some(to),
    };
    page(StatusCode::OK, &shown)
}

/// What was to be ended has ended already, or never was theirs: one answer for both.
pub(super) fn gone(visitor: &Visitor, back: &str) -> Response {
    let shown = Message {
        title: "Nothing was changed",
        text: "There is none like this any more.",
        request_id: &visitor.request.request_id,
        next: Some(back),
    };
    page(StatusCode::NOT_FOUND, &shown)
}

/// Whatever a page's route answers is as guarded as a page, and if it tells of a mistake, it is
/// one.
pub(super) async fn guarded(request: Request, next: Next) -> Response {
    let id = told(request.headers(), &X_REQUEST_ID).map(str::to_owned);
    let mut response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    // As the library words what no handler got to see; scripts get JSON.
    let is_bare = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if is_bare && (status.is_client_error() || status.is_server_error()) {
        response = page(
            status,
            &Message {
                title: "This cannot be read",
                text: "Go back, load the page anew and try again.",
                request_id: id.as_deref().unwrap_or_default(),
                next: None,
            },
        );
    }
    for (name, value) in PAGE_FIELDS {
        let name = HeaderName::from_static(name);
        if name != header::CONTENT_TYPE {
            let field = response.headers_mut().entry(name);
            field.or_insert(HeaderValue::from_static(value));
        }
    }
    response
}

/// On to another page, by GET.
pub(super) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}
