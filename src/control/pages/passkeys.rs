//! Passkeys: signing in with one, and setting one up.

use axum::Form;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{message, see_other};
use super::cookie::with_cookie;
use super::factors;
use super::sign_in::{self, Told, back, told, waiting};
use super::sign_out::{OwnForm, foreign_form};
use super::visitor::{SignedIn, Visitor};
use crate::control::sign_in::{Answered, Question, Refusal};
use crate::domain::CeremonyId;

/// What the form of somebody who is about to sign in holds.
#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    ceremony: String,
    #[serde(default)]
    credential: String,
    #[serde(default, rename = "return")]
    back: String,
}

/// What the form of a new passkey holds.
#[derive(Deserialize)]
pub(super) struct New {
    #[serde(default)]
    csrf_token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    ceremony: String,
    #[serde(default)]
    credential: String,
}

/// What the passkey of whoever is about to sign in is asked.
pub(super) async fn question_to_anybody(visitor: Visitor) -> Response {
    if !visitor.from_own_page || visitor.cookie.is_none() {
        return StatusCode::FORBIDDEN.into_response();
    }
    put_question(visitor.sign_ins.ask_anybody(&visitor.request).await)
}

/// Signs somebody in.
pub(super) async fn sign_in(visitor: Visitor, Form(form): Form<Filled>) -> Response {
    let Some(cookie) = visitor.cookie.filter(|_| visitor.from_own_page) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let back = back(&form.back);
    let answered = answer(&form.ceremony, form.credential);
    let request = visitor.request.clone();
    match visitor.sign_ins.by_passkey(request, &answered).await {
        Ok(token) => with_cookie(see_other(back.as_str()), cookie, &token),
        Err(refusal) => {
            let told = told(&refusal, "This passkey does not sign anybody in here.");
            sign_in::show(&visitor, "", &back, Some(&told))
        }
    }
}

/// What the authenticator of somebody signed in is asked for a new passkey.
pub(super) async fn question_for_new(signed_in: SignedIn, Form(form): Form<OwnForm>) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sign_ins = &visitor.sign_ins;
    if !sign_ins.is_own_form(person.session, &form.csrf_token) {
        return foreign_form(visitor);
    }
    let asked = sign_ins.ask_new_passkey(&person.principal, person.session);
    put_question(asked.await)
}

/// Sets a passkey up.
pub(super) async fn add(signed_in: SignedIn, Form(form): Form<New>) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sign_ins = &visitor.sign_ins;
    if !sign_ins.is_own_form(person.session, &form.csrf_token) {
        return foreign_form(visitor);
    }
    let Some(cookie) = visitor.cookie else {
        return message(visitor, StatusCode::FORBIDDEN, "Not here", "");
    };
    let answered = answer(&form.ceremony, form.credential);
    let request = visitor.request.clone();
    let (of, session) = (&person.principal, person.session);
    let added = sign_ins.add_passkey(request, of, session, (&answered, &form.name));
    match added.await {
        Ok(added) => factors::added(&signed_in, cookie, &added),
        Err(refusal) => {
            let told = told(&refusal, "The passkey was not set up. Try again.");
            let wait = told.wait;
            waiting(factors::with(&signed_in, Some(&told)).await, wait)
        }
    }
}

/// What a form says that an authenticator answered.
pub(super) fn answer(ceremony: &str, credential: String) -> Answered {
    // A name that is none was never asked.
    let ceremony = ceremony.parse().unwrap_or(CeremonyId(uuid::Uuid::nil()));
    Answered {
        ceremony,
        credential,
    }
}

/// For the script of the page.
pub(super) fn put_question(asked: Result<Question, Refusal>) -> Response {
    match asked {
        Ok(Question { ceremony, options }) => {
            let body = json!({ "ceremony": ceremony.to_string(), "options": options });
            put(StatusCode::OK, &body)
        }
        Err(refusal) => {
            let Told { status, text, wait } = told(&refusal, "There are no passkeys here.");
            let status = match status {
                StatusCode::UNAUTHORIZED => StatusCode::NOT_FOUND,
                other => other,
            };
            waiting(put(status, &json!({ "detail": text })), wait)
        }
    }
}

fn put(status: StatusCode, body: &Value) -> Response {
    let fields = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, fields, body.to_string()).into_response()
}
