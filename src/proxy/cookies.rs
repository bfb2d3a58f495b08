//! Cookies that pass: all but ours.

use http::{HeaderMap, HeaderValue, header};

use crate::domain::SessionCookie;

/// All cookies but ours, as the value of one field; `None` if there are none.
#[must_use]
pub fn without_own(sent: &HeaderMap) -> Option<Vec<u8>> {
    let fields = sent.get_all(header::COOKIE).into_iter();
    let cookies = fields.flat_map(|field| field.as_bytes().split(|b| *b == b';'));
    let kept: Vec<&[u8]> = cookies
        .map(<[u8]>::trim_ascii)
        .filter(|cookie| !cookie.is_empty() && !is_own(cookie))
        .collect();
    (!kept.is_empty()).then(|| kept.join(&b"; "[..]))
}

/// The `Set-Cookie` fields that stay, if any must go: nobody else sets a cookie of ours.
pub(super) fn set_without_own(answered: &HeaderMap) -> Option<Vec<HeaderValue>> {
    let own = |field: &HeaderValue| {
        let cookie = field.as_bytes().split(|b| *b == b';').next();
        cookie.is_some_and(is_own)
    };
    let fields = || answered.get_all(header::SET_COOKIE).into_iter();
    fields()
        .any(own)
        .then(|| fields().filter(|field| !own(field)).cloned().collect())
}

/// Backends differ in what they forgive around a name (quotes, blanks that are not ASCII, a
/// `=` before it) and some split at commas: a cookie that any of them might take for one of
/// ours is one.
fn is_own(cookie: &[u8]) -> bool {
    cookie.split(|b| *b == b',').any(|part| {
        let part = trimmed(part);
        let name = trimmed(part.split(|b| *b == b'=').next().unwrap_or_default());
        SessionCookie::NAMES
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
    })
}

/// Without what no name of a cookie begins or ends with.
fn trimmed(mut text: &[u8]) -> &[u8] {
    let odd = |b: &u8| !b.is_ascii_alphanumeric() && !b"!#$%&'*+-.^_`|~".contains(b);
    while let [first, rest @ ..] = text
        && odd(first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && odd(last)
    {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_cookies_are_recognised_in_any_spelling() {
        for own in [
            &b"__Host-portcullis=abc"[..],
            b"__host-Portcullis =abc",
            b"\"portcullis-dev\"=abc",
            b"=portcullis-dev=abc",
            b"\xa0portcullis-dev\x85=abc",
            b"portcullis-dev",
            b"a=b, portcullis-dev=abc",
            b"__Host-portcullis-device=abc",
            b"portcullis-dev-device=abc",
            b"portcullis-dev-project=acme/fraud",
        ] {
            assert!(is_own(own), "{}", own.escape_ascii());
        }
        for other in [
            &b"portcullis=abc"[..],
            b"a=portcullis-dev",
            b"x-portcullis-dev=abc",
            b"portcullis-dev.=abc",
            b"",
        ] {
            assert!(!is_own(other), "{}", other.escape_ascii());
        }
    }
}
