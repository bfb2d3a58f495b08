//! The form of a request.

use axum::Form;
use axum::extract::{FromRequest, Request};

use super::refused::Refused;

/// Its fields, none of them twice (RFC 6749 §3.2).
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let form = Form::<Vec<(String, String)>>::from_request(request, state).await;
        let Form(fields) = form.map_err(|_| Refused::request("This is no form."))?;
        let is_twice = |at: usize| fields[..at].iter().any(|(name, _)| *name == fields[at].0);
        if (0..fields.len()).any(is_twice) {
            return Err(Refused::request("A field of the form is there twice."));
        }
        Ok(Self(fields))
    }
}

impl Params {
    /// A field, if it is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A field that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refused> {
        self.get(name)
            .ok_or_else(|| Refused::request("A field of the form is missing."))
    }
}
