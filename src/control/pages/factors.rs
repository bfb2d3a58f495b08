//! The second factors of who is signed in.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{message, page, scripted_page, see_other};
use super::cookie::with_cookie;
use super::frame::{Frame, Place};
use super::moment::Moment;
use super::sign_in::{Told, told};
use super::sign_out::{OwnForm, foreign_form};
use super::visitor::{SignedIn, Visitor};
use crate::authn::RecoveryCode;
use crate::control::sign_in::Added;
use crate::domain::{PasskeyId, SessionCookie, visible};
use crate::store::{Factors, StoreError, StoredPasskey};

const HERE: &str = "/.portcullis/account/factors";

#[derive(Debug, Template)]
#[template(path = "factors.html")]
struct FactorsPage<'a> {
    frame: Frame,
    app: bool,
    passkeys: Vec<Row>,
    /// Whether more can be set up.
    can_have_passkeys: bool,
    /// `None`: there are none, since there is nothing to recover.
    recovery_codes: Option<i64>,
    wrong: Option<&'a str>,
}

#[derive(Debug)]
struct Row {
    id: PasskeyId,
    name: String,
    since: Moment,
    last_used: Option<Moment>,
}

#[derive(Debug, Template)]
#[template(path = "recovery_codes.html")]
struct CodesPage {
    frame: Frame,
    codes: Vec<String>,
}

/// What they have set up, and what they can.
pub(super) async fn show(signed_in: SignedIn) -> Response {
    with(&signed_in, None).await
}

/// The same, and what was wrong with what they asked for.
pub(super) async fn with(signed_in: &SignedIn, wrong: Option<&Told>) -> Response {
    let SignedIn { visitor, person } = signed_in;
    let sign_ins = &visitor.sign_ins;
    if !sign_ins.has_factors() {
        let text = "Second factors are switched off here.";
        return message(visitor, StatusCode::NOT_FOUND, "Not here", text);
    }
    let factors = match sign_ins.factors(person.principal.id).await {
        Ok(factors) => factors,
        Err(error) => return unavailable(visitor, &error),
    };
    let any = factors.any();
    let Factors {
        totp,
        passkeys,
        recovery_codes,
    } = factors;
    let shown = FactorsPage {
        frame: Frame::of(signed_in, Place::Factors),
        app: totp,
        passkeys: passkeys.iter().map(row).collect(),
        can_have_passkeys: sign_ins.has_passkeys(),
        recovery_codes: any.then_some(recovery_codes),
        wrong: wrong.map(|told| &*told.text),
    };
    let status = wrong.map_or(StatusCode::OK, |told| told.status);
    scripted_page(status, &shown, shown.can_have_passkeys)
}

fn row(stored: &StoredPasskey) -> Row {
    Row {
        id: stored.id,
        name: visible(&stored.name).into_owned(),
        since: stored.created_at.into(),
        last_used: stored.last_used_at.map(Moment::from),
    }
}

/// What follows when one was set up: codes, once, if it is the first.
pub(super) fn added(signed_in: &SignedIn, cookie: SessionCookie, added: &Added) -> Response {
    let response = match &*added.recovery_codes {
        [] => see_other(HERE),
        codes => codes_page(signed_in, codes),
    };
    tracing::debug!(principal = %signed_in.person.principal.id, "a factor was set up");
    with_cookie(response, cookie, &added.token)
}

fn codes_page(signed_in: &SignedIn, codes: &[RecoveryCode]) -> Response {
    let shown = CodesPage {
        frame: Frame::of(signed_in, Place::Factors),
        codes: codes.iter().map(RecoveryCode::reveal).collect(),
    };
    page(StatusCode::OK, &shown)
}

/// Makes new recovery codes.
pub(super) async fn new_codes(signed_in: SignedIn, Form(form): Form<OwnForm>) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sign_ins = &visitor.sign_ins;
    if !sign_ins.is_own_form(person.session, &form.csrf_token) {
        return foreign_form(visitor);
    }
    let request = visitor.request.clone();
    match sign_ins
        .new_recovery_codes(request, person.principal.id)
        .await
    {
        Ok(codes) => codes_page(&signed_in, &codes),
        Err(refusal) => {
            let told = told(&refusal, "Set up a second factor first.");
            with(&signed_in, Some(&told)).await
        }
    }
}

/// Takes the app away.
pub(super) async fn remove_totp(signed_in: SignedIn, Form(form): Form<OwnForm>) -> Response {
    remove(signed_in, None, &form).await
}

/// Takes a passkey away.
pub(super) async fn remove_passkey(
    signed_in: SignedIn,
    Path(passkey): Path<String>,
    Form(form): Form<OwnForm>,
) -> Response {
    match passkey.parse() {
        Ok(passkey) => remove(signed_in, Some(passkey), &form).await,
        Err(_) => see_other(HERE),
    }
}

async fn remove(signed_in: SignedIn, passkey: Option<PasskeyId>, form: &OwnForm) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sign_ins = &visitor.sign_ins;
    if !sign_ins.is_own_form(person.session, &form.csrf_token) {
        return foreign_form(visitor);
    }
    let request = visitor.request.clone();
    let (of, session) = (&person.principal, person.session);
    let removed = sign_ins.remove_factor(request, of, session, passkey);
    match (removed.await, visitor.cookie) {
        (Ok(token), Some(cookie)) => with_cookie(see_other(HERE), cookie, &token),
        (Ok(_), None) | (Err(StoreError::NotFound { .. }), _) => see_other(HERE),
        (Err(error), _) => unavailable(visitor, &error),
    }
}

fn unavailable(visitor: &Visitor, error: &StoreError) -> Response {
    tracing::error!(%error, "second factors cannot be shown or changed");
    let text = "Your account cannot be reached at the moment. Try again.";
    message(visitor, StatusCode::SERVICE_UNAVAILABLE, "Not now", text)
}
