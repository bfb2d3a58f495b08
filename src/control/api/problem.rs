//! Why a request was not carried out, as RFC 9457 has it. The one place that maps causes to
//! status codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ControlHeaders;
use crate::store::StoreError;

/// A refusal or a failure.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

/// What the client gets of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// `about:blank`: `code` says what is wrong.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// A stable word, for programs.
    code: &'static str,
    /// As in the header `X-Request-Id`; where the gateway itself has refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
        }
    }

    /// 400: it cannot be read.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 422: it can be read, and asks for what cannot be.
    pub(super) fn refused(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 403: it asks for more than its sender holds.
    pub(super) fn beyond_authority(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "beyond_authority", detail)
    }

    /// 409.
    pub(super) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 404: not where it was looked for.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 500: the data plane has not told what it always tells.
    pub(super) fn internal(why: &'static str) -> Self {
        tracing::error!(why, "the administration API has a bug");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal_error", "Internal error.")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::not_found(error.to_string()),
            StoreError::Conflict(why) => Self::conflict("conflict", why),
            StoreError::Refused(why) => Self::refused("refused", why),
            StoreError::Forbidden(why) => {
                tracing::error!(why, "the database refuses what the API would have done");
                let detail = "The database refuses it.";
                Self::new(StatusCode::FORBIDDEN, "database_refused", detail)
            }
            StoreError::Unavailable(why) | StoreError::UnfitLogin(why) => {
                tracing::warn!(why, "the administration API cannot ask the database");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let detail = "The database cannot be asked; try again.";
                Self::new(status, "truth_unavailable", detail)
            }
            StoreError::Corrupt(why) => {
                tracing::error!(why, "the database holds something unexpected");
                Self::internal("unexpected data")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
            request_id: None,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let headers = [
            (header::CONTENT_TYPE, "application/problem+json"),
            (ControlHeaders::REFUSED, self.code),
        ];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        (self.status, headers, body).into_response()
    }
}
