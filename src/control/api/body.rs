//! Bodies of requests: JSON of exactly the form that is asked for.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::Api;
use super::problem::Problem;

/// Longest body, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// A body, and the bytes that it was read from.
#[derive(Debug)]
pub(super) struct Body<T> {
    pub(super) value: T,
    pub(super) bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        check_type(request.headers())?;
        let bytes = Bytes::from_request(request, api)
            .await
            .map_err(|it| unread(&it))?;
        match serde_json::from_slice(&bytes) {
            // A list of values would be read as those of the fields, in their order.
            Ok(_) if !bytes.trim_ascii_start().starts_with(b"{") => {
                Err(Problem::refused("invalid", "a JSON object is asked for"))
            }
            Ok(value) => Ok(Self { value, bytes }),
            Err(error) if error.classify() == Category::Data => {
                Err(Problem::refused("invalid", error.to_string()))
            }
            Err(error) => Err(Problem::malformed(format!("not JSON: {error}"))),
        }
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    let json = kind.trim().eq_ignore_ascii_case("application/json");
    let coded = headers.contains_key(header::CONTENT_ENCODING);
    if json && !coded && matches!(&*parameters, "" | "charset=utf-8" | "charset=\"utf-8\"") {
        return Ok(());
    }
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let detail = "Send application/json in UTF-8, not encoded.";
    Err(Problem::new(status, "unsupported_media_type", detail))
}

fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("A body has at most {MAX_BODY} bytes.");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail);
    }
    Problem::malformed(rejection.body_text())
}
