//! What proves that a page which uses a session was given out to it: cookies go with every
//! request, this does not.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::{Pepper, SessionId};

/// The token of a session: in each of its forms, and in `X-CSRF-Token` of what its scripts send.
pub(super) fn token(pepper: &Pepper, session: SessionId) -> String {
    let key = pepper.derive(b"form tokens");
    let mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    let token = mac.chain_update(session.0.as_bytes()).finalize();
    let bytes = token.into_bytes();
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether this is it.
pub(super) fn is_token(pepper: &Pepper, session: SessionId, sent: &str) -> bool {
    let own = token(pepper, session);
    own.len() == sent.len() && openssl::memcmp::eq(own.as_bytes(), sent.as_bytes())
}
