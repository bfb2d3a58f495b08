//! What a client of SCIM hears.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::store::StoreError;

const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A refusal, or a failure (RFC 7644 §3.12).
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// A word of the standard's.
    kind: Option<&'static str>,
    detail: String,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        kind: Option<&'static str>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
        }
    }

    /// 400, for a reason of the standard's.
    pub(super) fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(kind), detail)
    }

    /// A value is none that the attribute can have.
    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// 409: a name or an address is somebody else's.
    pub(super) fn taken(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, Some("uniqueness"), detail)
    }

    pub(super) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            None,
            "There is nothing of this name.",
        )
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::taken("There is somebody of this name or address."),
            error => {
                tracing::error!(%error, "a directory is not served");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, None, "Try again in a moment.")
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": [ERROR], "status": self.status.as_str(), "detail": self.detail,
        });
        if let Some(kind) = self.kind {
            body["scimType"] = kind.into();
        }
        with_body(self.status, &body)
    }
}

/// An answer with a body.
pub(super) fn with_body(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, SCIM_JSON);
    response
}

/// What the library words itself, such as that a body is too long, is worded as the rest.
pub(super) async fn in_its_words(mut response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_bare = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let status = response.status();
    if is_bare && (status.is_client_error() || status.is_server_error()) {
        let detail = status.canonical_reason().unwrap_or("It cannot be served.");
        response = Refusal::new(status, None, detail).into_response();
    }
    response
}
