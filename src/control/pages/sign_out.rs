//! Signing out.

use axum::Form;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::answer::{message, see_other};
use super::cookie::without_cookie;
use super::provider::refreshed;
use super::saml::onward;
use super::visitor::SignedIn;
use crate::authn::Onward;
use crate::store::StoreError;

/// A form that needs nothing but to be ours.
#[derive(Debug, Deserialize)]
pub(super) struct OwnForm {
    #[serde(default)]
    pub(super) csrf_token: String,
}

/// Ends the session, here and everywhere.
pub(super) async fn submit(signed_in: SignedIn, Form(form): Form<OwnForm>) -> Response {
    let SignedIn { visitor, person } = signed_in;
    if !visitor
        .sign_ins
        .is_own_form(person.session, &form.csrf_token)
    {
        return foreign_form(&visitor);
    }
    let request = visitor.request.clone();
    let ended = visitor
        .sign_ins
        .end(request, person.principal.id, person.session);
    match ended.await {
        // Ended elsewhere a moment ago.
        Ok(()) | Err(StoreError::NotFound { .. }) => {}
        Err(error) => {
            tracing::error!(%error, "a session cannot be ended");
            let text = "You are still signed in. Try again.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return message(&visitor, status, "Not signed out", text);
        }
    }
    let response = match visitor.sign_ins.there(person.session).await {
        None => see_other("/.portcullis/sign-in"),
        Some(Onward::To(url)) => refreshed(&visitor, url.as_str()),
        Some(form) => onward(&visitor, &form),
    };
    match visitor.cookie {
        Some(cookie) => without_cookie(response, cookie),
        None => response,
    }
}

pub(super) fn foreign_form(visitor: &super::visitor::Visitor) -> Response {
    let text = "The form is not one of this session. Open the page anew and try again.";
    message(visitor, StatusCode::FORBIDDEN, "Not from here", text)
}
