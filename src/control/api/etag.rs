//! Changes of what was read: the tag of a thing is a hash of all that is shown of it, and who
//! changes it must say which tag they saw.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Api;
use super::problem::Problem;

/// The tag of a thing, quotes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Etag(pub(super) String);

impl Etag {
    pub(super) fn of(shown: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(shown).unwrap_or_default();
        let digest = Sha256::digest(bytes);
        let half = digest.first_chunk().copied().unwrap_or_default();
        Self(format!("\"{:032x}\"", u128::from_be_bytes(half)))
    }
}

/// `If-Match`, which must be there.
#[derive(Debug)]
pub(super) struct IfMatch(String);

impl IfMatch {
    /// Refuses if the thing is no longer as it was seen.
    pub(super) fn check(&self, shown: &impl Serialize) -> Result<(), Problem> {
        let Etag(now) = Etag::of(shown);
        let mut seen = self.0.split(',').map(str::trim);
        if seen.any(|tag| tag == now || tag == "*") {
            return Ok(());
        }
        let detail = "It has changed since: read it again.";
        Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            detail,
        ))
    }
}

impl FromRequestParts<Api> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let values: Vec<_> = parts.headers.get_all(header::IF_MATCH).iter().collect();
        match values[..] {
            [value] => match value.to_str() {
                Ok(text) => Ok(Self(text.to_owned())),
                Err(_) => Err(Problem::malformed("If-Match is not text.")),
            },
            [] => Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "Send the ETag that you saw as If-Match.",
            )),
            _ => Err(Problem::malformed("More than one If-Match.")),
        }
    }
}
