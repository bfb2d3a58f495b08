//! The cookies of a session, of a device and of a project.

use axum::http::{HeaderValue, header};
use axum::response::Response;
use secrecy::ExposeSecret as _;

use crate::control::sign_in::DeviceToken;
use crate::domain::{SessionCookie, SessionToken};

/// RFC 6265bis §4.1: sent back to this host only, over TLS only, to no script, and from other
/// sites only by a link.
pub(super) fn with_cookie(
    response: Response,
    cookie: SessionCookie,
    token: &SessionToken,
) -> Response {
    let token = token.reveal();
    set(response, (cookie, cookie.name()), token.expose_secret(), "")
}

/// The browser shows from now on that somebody has signed in with it.
pub(super) fn with_device(
    response: Response,
    cookie: SessionCookie,
    device: Option<&DeviceToken>,
) -> Response {
    let Some(device) = device else {
        return response;
    };
    let age = format!("; Max-Age={}", DeviceToken::LASTS.num_seconds());
    set(response, (cookie, cookie.device()), device.reveal(), &age)
}

/// The browser has this while it is away: as long as an answer is waited for.
pub(super) fn with_errand(response: Response, cookie: SessionCookie, errand: &str) -> Response {
    set(response, (cookie, cookie.errand()), errand, "; Max-Age=600")
}

/// The browser says from now on which project its user works in: one name, whatever is chosen.
pub(super) fn with_project(response: Response, cookie: SessionCookie, path: &str) -> Response {
    set(response, (cookie, cookie.project()), path, "")
}

/// The browser forgets its session, and what its user worked in.
pub(super) fn without_cookie(response: Response, cookie: SessionCookie) -> Response {
    let response = set(response, (cookie, cookie.project()), "", "; Max-Age=0");
    set(response, (cookie, cookie.name()), "", "; Max-Age=0")
}

fn set(
    mut response: Response,
    (cookie, name): (SessionCookie, &str),
    value: &str,
    age: &str,
) -> Response {
    let secure = match cookie {
        SessionCookie::Host => "; Secure",
        SessionCookie::Dev => "",
    };
    let field = format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(mut field) = HeaderValue::try_from(field) {
        field.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, field);
    }
    response
}
