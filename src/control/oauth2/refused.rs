//! Why not, in the words of RFC 6749 §5.2.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::json as answer;
use crate::domain::ControlHeaders;
use crate::store::StoreError;

/// A refusal.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl Refused {
    const fn new(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self {
            status,
            error,
            description,
        }
    }

    /// The form is not as it should be.
    pub(super) const fn request(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// The client is not known: one answer, whatever is wrong with its key.
    pub(super) const fn client() -> Self {
        let description = "The client shows no key of its own that is good.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
    }

    /// The client is known and may not.
    pub(super) const fn unauthorized(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unauthorized_client", description)
    }

    /// There is no such grant.
    pub(super) const fn grant() -> Self {
        let description = "The grant is client_credentials.";
        Self::new(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            description,
        )
    }

    /// There is no such scope.
    pub(super) const fn scope() -> Self {
        let description = "There is no such scope here.";
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    /// Neither yes nor no.
    pub(super) const fn unavailable() -> Self {
        let description = "The truth cannot be asked; try again.";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            description,
        )
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a client cannot be served");
        Self::unavailable()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = answer(&body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let reason = HeaderValue::from_static(self.error);
        headers.insert(ControlHeaders::REFUSED, reason);
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Basic realm=\"portcullis\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
