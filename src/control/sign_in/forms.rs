//! Which forms are ours.

use axum::http::HeaderMap;

use super::SignIns;
use crate::control::own_form;
use crate::domain::SessionId;
use crate::policy::is_same_origin;

impl SignIns {
    /// What a form of a signed-in person must hold besides their cookie.
    pub(in crate::control) fn form_token(&self, session: SessionId) -> String {
        own_form::token(&self.pepper, session)
    }

    /// Whether a form holds it.
    pub(in crate::control) fn is_own_form(&self, session: SessionId, sent: &str) -> bool {
        own_form::is_token(&self.pepper, session, sent)
    }
}

/// Whether the browser says that a request is from a page of ours.
pub(in crate::control) fn is_from_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (scheme, host) = (text("x-forwarded-proto"), text("host"));
    is_same_origin(
        headers,
        scheme.unwrap_or_default(),
        host.unwrap_or_default(),
    )
}
