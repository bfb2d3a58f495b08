//! The one credential of a request, still unverified.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::SecretString;

use super::{Malformed, cookies};
use crate::domain::SessionCookie;

/// Our own header field for an API key.
pub const X_PORTCULLIS_KEY: HeaderName = HeaderName::from_static("x-portcullis-key");

/// What a client presented as proof of who it is.
#[derive(Debug)]
pub enum PresentedSecret {
    /// A bearer secret, from `Bearer`, from the password of `Basic`, or from
    /// `X-Portcullis-Key`.
    Secret(SecretString),
    /// The value of a session cookie.
    Session(SessionCookie, SecretString),
    /// Something in `Authorization` that cannot be a credential of ours.
    Unusable,
}

/// Finds the credential.
///
/// Two are refused even if they agree: the backend might take the other one.
pub(super) fn presented(headers: &HeaderMap) -> Result<Option<PresentedSecret>, Malformed> {
    let secret = |text: Option<SecretString>| {
        text.map_or(PresentedSecret::Unusable, PresentedSecret::Secret)
    };
    let authorization = headers.get_all(header::AUTHORIZATION).iter();
    let authorization = authorization.map(|value| secret(from_authorization(value)));
    let own = headers.get_all(&X_PORTCULLIS_KEY).iter();
    let own = own.map(|value| secret(value.to_str().ok().map(|text| text.trim().into())));
    let sessions = || cookies::own(headers, SessionCookie::name);
    // Another host of the site can set the one, and nobody but this host the other: it must not
    // keep people out.
    let is_safe = sessions().any(|(cookie, _)| cookie == SessionCookie::Host);
    let sessions = sessions().filter(|(cookie, _)| !is_safe || *cookie == SessionCookie::Host);
    let sessions = sessions.map(|(cookie, value)| PresentedSecret::Session(cookie, value.into()));
    let mut all = authorization.chain(own).chain(sessions);
    let first = all.next();
    if all.next().is_some() {
        return Err(Malformed::TwoCredentials);
    }
    Ok(first)
}

fn from_authorization(value: &HeaderValue) -> Option<SecretString> {
    let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.into());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (_, password) = text.split_once(':')?;
        return Some(password.into());
    }
    None
}
