//! The session's cookie.

use axum::http::{HeaderValue, header};
use axum::response::Response;
use secrecy::ExposeSecret as _;

use crate::domain::{SessionCookie, SessionToken};

/// RFC 6265bis §4.1: sent back to this host only, over TLS only, to no script, and from other
/// sites only by a link.
pub(super) fn with_cookie(
    response: Response,
    cookie: SessionCookie,
    token: &SessionToken,
) -> Response {
    set(response, cookie, token.reveal().expose_secret(), "")
}

/// The browser forgets its session.
pub(super) fn without_cookie(response: Response, cookie: SessionCookie) -> Response {
    set(response, cookie, "", "; Max-Age=0")
}

fn set(mut response: Response, cookie: SessionCookie, value: &str, age: &str) -> Response {
    let secure = match cookie {
        SessionCookie::Host => "; Secure",
        SessionCookie::Dev => "",
    };
    let name = cookie.name();
    let field = format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(mut field) = HeaderValue::try_from(field) {
        field.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, field);
    }
    response
}
