//! Which forms are ours.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::SignIns;
use crate::domain::SessionId;
use crate::policy::is_same_origin;

impl SignIns {
    /// What a form of a signed-in person must hold besides their cookie.
    pub(in crate::control) fn form_token(&self, session: SessionId) -> String {
        let key = self.pepper.derive(b"form tokens");
        let mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
        let token = mac.chain_update(session.0.as_bytes()).finalize();
        let bytes = token.into_bytes();
        bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Whether a form holds it.
    pub(in crate::control) fn is_own_form(&self, session: SessionId, sent: &str) -> bool {
        let own = self.form_token(session);
        own.len() == sent.len() && openssl::memcmp::eq(own.as_bytes(), sent.as_bytes())
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
