//! The one credential of a request, still unverified.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, header};
use secrecy::SecretString;

use super::Malformed;

/// Our own header field for an API key.
pub const X_PORTCULLIS_KEY: HeaderName = HeaderName::from_static("x-portcullis-key");

/// What a client presented as proof of who it is.
#[derive(Debug)]
pub enum PresentedSecret {
    /// A bearer secret, from `Bearer`, from the password of `Basic`, or from
    /// `X-Portcullis-Key`.
    Secret(SecretString),
    /// Something in `Authorization` that cannot be a credential of ours.
    Unusable,
}

/// Finds the credential.
///
/// Two are refused even if they agree: the backend might take the other one.
pub(super) fn presented(headers: &HeaderMap) -> Result<Option<PresentedSecret>, Malformed> {
    let mut all = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .map(|value| (true, value))
        .chain(
            headers
                .get_all(&X_PORTCULLIS_KEY)
                .iter()
                .map(|value| (false, value)),
        );
    let Some((is_authorization, value)) = all.next() else {
        return Ok(None);
    };
    if all.next().is_some() {
        return Err(Malformed::TwoCredentials);
    }
    let secret = value.to_str().ok().and_then(|text| {
        if is_authorization {
            from_authorization(text)
        } else {
            Some(text.trim().into())
        }
    });
    Ok(Some(secret.map_or(
        PresentedSecret::Unusable,
        PresentedSecret::Secret,
    )))
}

fn from_authorization(value: &str) -> Option<SecretString> {
    let (scheme, rest) = value.trim().split_once(' ')?;
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
