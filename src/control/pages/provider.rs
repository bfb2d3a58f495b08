//! Signing in at another service: the way there, and back.

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::answer::{message, onward, with_return};
use super::cookie::with_errand;
use super::sign_in::{From, back, begun_at, show, told, unsafe_here};
use super::visitor::Visitor;
use crate::control::sign_in::{Answer, Button, Refusal};
use crate::domain::{ReturnPath, Slug};

/// What somebody comes back with (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Debug, Deserialize)]
pub(super) struct Returned {
    #[serde(default)]
    state: String,
    code: Option<String>,
    iss: Option<String>,
}

/// Sends somebody there. Who is signed in here is to prove anew who they are.
pub(super) async fn leave(
    visitor: Visitor,
    Path(provider): Path<String>,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let back = &back(&from.map(|Query(from)| from.back).unwrap_or_default());
    let visitor = &visitor;
    // Parts of other sites' pages are not sent anywhere, and wear out nobody's attempts.
    let Some(cookie) = visitor.cookie.filter(|_| visitor.is_navigation) else {
        return unsafe_here(visitor);
    };
    let errand = visitor.errand.as_deref();
    let sent = visitor.sign_ins.send(
        &visitor.request,
        &provider,
        (back, errand),
        visitor.person.is_some(),
    );
    match sent.await {
        Ok(sent) => {
            let response = super::saml::onward(visitor, &sent.to);
            with_errand(response, cookie, &sent.errand)
        }
        Err(Refusal::Wrong) => nowhere(visitor),
        Err(refusal) => show(visitor, "", back, Some(&told(&refusal, ""))),
    }
}

/// The ways there, and what they are called.
pub(super) fn ways(visitor: &Visitor, back: &ReturnPath) -> Vec<(String, String)> {
    listed(visitor.sign_ins.buttons(), back)
}

/// As [`ways`], of these.
pub(super) fn listed(buttons: Vec<Button>, back: &ReturnPath) -> Vec<(String, String)> {
    let all = buttons.into_iter();
    all.map(|button| (way(&button.name, back), button.label))
        .collect()
}

fn way(provider: &Slug, back: &ReturnPath) -> String {
    with_return(&format!("/.portcullis/sign-in/with/{provider}"), back)
}

/// On to a service, after a form: browsers follow no form to another site, for what it holds
/// might go there.
pub(super) fn lead(visitor: &Visitor, provider: &Slug, back: &ReturnPath) -> Response {
    refreshed(visitor, &way(provider, back))
}

/// On to anywhere, after a form.
pub(super) fn refreshed(visitor: &Visitor, to: &str) -> Response {
    let mut response = onward(visitor, to);
    if let Ok(field) = HeaderValue::try_from(format!("0; url={to}")) {
        response.headers_mut().insert(header::REFRESH, field);
    }
    response
}

/// Somebody comes back.
pub(super) async fn arrive(
    visitor: Visitor,
    Path(provider): Path<String>,
    query: Result<Query<Returned>, QueryRejection>,
) -> Response {
    let (Ok(Query(query)), Some(cookie)) = (query, visitor.cookie) else {
        return nowhere(&visitor);
    };
    let answer = Answer {
        state: query.state,
        code: query.code,
        issuer: query.iss,
        errand: visitor.errand.clone(),
    };
    let former = visitor.person.as_ref();
    let former = former.map(|person| (person.principal.id, person.session));
    let request = visitor.request.clone();
    let came = visitor
        .sign_ins
        .by_provider(request, &provider, answer, former);
    match came.await {
        Ok(came) => begun_at(&came.begun, cookie, &came.to),
        Err(refusal) => {
            let wrong = "You were not signed in there, or are not known here. Try again, or ask \
                         whoever runs this site.";
            let told = told(&refusal, wrong);
            show(&visitor, "", &ReturnPath::default(), Some(&told))
        }
    }
}

/// What a provider sends when somebody has signed out there (Back-Channel Logout 1.0 §2.5).
#[derive(Debug, Deserialize)]
pub(super) struct SignedOut {
    logout_token: String,
}

/// Ends those sessions here (§2.8: 200 or 400, and not to be kept).
pub(super) async fn signed_out(
    visitor: Visitor,
    Path(provider): Path<String>,
    form: Result<Form<SignedOut>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let token = &form.logout_token;
    let ended = visitor
        .sign_ins
        .oidc_logout(&visitor.request, &provider, token);
    let status = match ended.await {
        Ok(()) => StatusCode::OK,
        Err(Refusal::Wrong) => StatusCode::BAD_REQUEST,
        Err(refusal) => told(&refusal, "").status,
    };
    status.into_response()
}

pub(super) fn nowhere(visitor: &Visitor) -> Response {
    let text = "There is no such way to sign in here.";
    message(visitor, StatusCode::NOT_FOUND, "Not here", text)
}
