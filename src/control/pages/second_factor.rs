//! Proving the other factor.

use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::SecretString;
use serde::Deserialize;

use super::answer::{scripted_page, see_other, with_return};
use super::cookie::{with_cookie, with_device};
use super::kept;
use super::passkeys::{answer, put_question};
use super::sign_in::{From, Told, back, told, waiting};
use super::sign_out::{OwnForm, foreign_form};
use super::visitor::SignedIn;
use crate::control::sign_in::Proof;
use crate::domain::{Assurance, ReturnPath};
use crate::store::{Factors, StoreError};

#[derive(Debug, Template)]
#[template(path = "second_factor.html")]
struct SecondFactorPage<'a> {
    email: &'a str,
    back: &'a ReturnPath,
    token: String,
    /// Whether they have an app.
    app: bool,
    /// Whether they have passkeys.
    passkeys: bool,
    /// A form that waits, sealed.
    kept: &'a str,
    wrong: Option<&'a str>,
}

/// What the form holds: a code, or the answer of a passkey.
#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    csrf_token: String,
    #[serde(default)]
    code: Option<SecretString>,
    #[serde(default)]
    ceremony: String,
    #[serde(default)]
    credential: String,
    #[serde(default, rename = "return")]
    back: String,
    #[serde(default)]
    kept: String,
}

/// The form, for who is to prove something; others go where they can.
pub(super) async fn form(
    signed_in: SignedIn,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let back = back(&from.map(|Query(from)| from.back).unwrap_or_default());
    match state(&signed_in).await {
        Ok(State::Waits(factors)) => show(&signed_in, &factors, (&back, ""), None),
        Ok(State::Complete) => see_other(back.as_str()),
        Ok(State::CanProve) => see_other(&with_return("/.portcullis/re-authenticate", &back)),
        Ok(State::HasNone) => see_other("/.portcullis/account/factors"),
        Err(error) => {
            let told = told(&error.into(), "");
            waiting(
                show(&signed_in, &NOTHING, (&back, ""), Some(&told)),
                told.wait,
            )
        }
    }
}

const NOTHING: Factors = Factors {
    totp: true,
    passkeys: Vec::new(),
    recovery_codes: 0,
};

enum State {
    /// The session waits for it.
    Waits(Factors),
    /// Two factors were proved.
    Complete,
    /// One was, and there is another by now.
    CanProve,
    /// One was, and there is no other.
    HasNone,
}

async fn state(signed_in: &SignedIn) -> Result<State, StoreError> {
    let SignedIn { visitor, person } = signed_in;
    let session = visitor.sign_ins.on_record(person.session).await?;
    let factors = visitor.sign_ins.factors(person.principal.id).await?;
    Ok(match session {
        Some(session) if session.pending => State::Waits(factors),
        Some(session) if Assurance::of(&session.methods) >= Assurance::Aal2 => State::Complete,
        _ if factors.any() => State::CanProve,
        _ => State::HasNone,
    })
}

/// The form, in the answer to a password that was right.
pub(super) async fn ask(signed_in: &SignedIn, back: &ReturnPath, kept: &str) -> Response {
    let SignedIn { visitor, person } = signed_in;
    let factors = visitor.sign_ins.factors(person.principal.id).await;
    show(signed_in, &factors.unwrap_or(NOTHING), (back, kept), None)
}

/// The form, filled in. Another session takes the place of this one.
pub(super) async fn submit(signed_in: SignedIn, Form(form): Form<Filled>) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sign_ins = &visitor.sign_ins;
    if !sign_ins.is_own_form(person.session, &form.csrf_token) {
        return foreign_form(visitor);
    }
    let back = back(&form.back);
    let proof = match form.code {
        Some(code) => Proof::Code(code),
        None => Proof::Passkey(answer(&form.ceremony, form.credential)),
    };
    let request = visitor.request.clone();
    let (of, waiting_one) = (&person.principal, person.session);
    let device = visitor.device.as_deref();
    let completed = sign_ins.second_factor(request, of, waiting_one, (&proof, device));
    match (completed.await, visitor.cookie) {
        (Ok(begun), Some(cookie)) => {
            let kept = kept::again(&signed_in, begun.token.id(), &form.kept);
            let shown = kept.unwrap_or_else(|| see_other(back.as_str()));
            let shown = with_cookie(shown, cookie, &begun.token);
            with_device(shown, cookie, begun.device.as_ref())
        }
        (Ok(_), None) => see_other("/.portcullis/sign-in"),
        (Err(refusal), _) => {
            let told = told(&refusal, "This does not prove it. A code is good for once.");
            let factors = sign_ins.factors(of.id).await.unwrap_or(NOTHING);
            let wait = told.wait;
            waiting(
                show(&signed_in, &factors, (&back, &form.kept), Some(&told)),
                wait,
            )
        }
    }
}

/// What their passkey is asked.
pub(super) async fn question(signed_in: SignedIn, Form(form): Form<OwnForm>) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sign_ins = &visitor.sign_ins;
    if !sign_ins.is_own_form(person.session, &form.csrf_token) {
        return foreign_form(visitor);
    }
    let asked = sign_ins.ask_passkey(person.principal.id, person.session);
    put_question(asked.await)
}

fn show(
    signed_in: &SignedIn,
    factors: &Factors,
    (back, kept): (&ReturnPath, &str),
    wrong: Option<&Told>,
) -> Response {
    let SignedIn { visitor, person } = signed_in;
    let shown = SecondFactorPage {
        email: person.principal.label(),
        back,
        token: visitor.sign_ins.form_token(person.session),
        app: factors.totp,
        passkeys: visitor.sign_ins.has_passkeys() && !factors.passkeys.is_empty(),
        kept,
        wrong: wrong.map(|told| &*told.text),
    };
    let status = wrong.map_or(StatusCode::OK, |told| told.status);
    scripted_page(status, &shown, shown.passkeys)
}
