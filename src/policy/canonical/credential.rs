//! The one credential of a request, still unverified.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::SecretString;

use super::Malformed;
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
    let mut all = authorization.chain(own).chain(session_cookies(headers));
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

/// Cookies of ours in all `Cookie` fields, which are one list however they are split
/// (RFC 9113 §8.2.3). The spelling is the browser's own; any other is no cookie of ours, and is
/// kept from backends all the same.
fn session_cookies(headers: &HeaderMap) -> impl Iterator<Item = PresentedSecret> {
    let fields = headers.get_all(header::COOKIE).into_iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&pair[..at], &pair[at + 1..]);
        let mut known = SessionCookie::ALL.into_iter();
        let cookie = known.find(|cookie| cookie.name().as_bytes() == name)?;
        // What is no text is no token either.
        let value = std::str::from_utf8(value).unwrap_or_default();
        Some(PresentedSecret::Session(cookie, value.into()))
    })
}
