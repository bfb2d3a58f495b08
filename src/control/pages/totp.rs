//! Setting up an authenticator app.

use askama::Template;
use axum::Form;
use axum::http::StatusCode;
use axum::response::Response;
use qrcode::QrCode;
use qrcode::render::svg;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::answer::{message, page};
use super::factors;
use super::frame::{Frame, Place};
use super::sign_in::{told, waiting};
use super::sign_out::foreign_form;
use super::visitor::SignedIn;
use crate::control::sign_in::Proposal;

#[derive(Debug, Template)]
#[template(path = "totp.html")]
struct TotpPage<'a> {
    frame: Frame,
    /// SVG.
    qr: String,
    uri: &'a str,
    typed: &'a str,
    sealed: &'a str,
    wrong: Option<&'a str>,
}

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    csrf_token: String,
    sealed: String,
    code: SecretString,
}

/// A secret for the app, and a form for its first code.
pub(super) async fn form(signed_in: SignedIn) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    if !visitor.sign_ins.has_factors() {
        return factors::with(&signed_in, None).await;
    }
    let proposal = visitor
        .sign_ins
        .propose_totp(&person.principal, person.session);
    show(&signed_in, &proposal, StatusCode::OK, None)
}

/// The form, filled in.
pub(super) async fn submit(signed_in: SignedIn, Form(form): Form<Filled>) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sign_ins = &visitor.sign_ins;
    let (of, session) = (&person.principal, person.session);
    if !sign_ins.is_own_form(session, &form.csrf_token) {
        return foreign_form(visitor);
    }
    let request = visitor.request.clone();
    let typed = (&*form.sealed, form.code.expose_secret());
    let added = sign_ins.add_totp(request, of, session, typed).await;
    match (added, visitor.cookie) {
        (Ok(added), Some(cookie)) => factors::added(&signed_in, cookie, &added),
        (Ok(_), None) => message(visitor, StatusCode::FORBIDDEN, "Not here", ""),
        (Err(refusal), _) => {
            let told = told(
                &refusal,
                "This is not the code of now. Is the clock of your phone right?",
            );
            let proposal = sign_ins.propose_again(of, session, &form.sealed);
            let proposal = proposal.unwrap_or_else(|| sign_ins.propose_totp(of, session));
            let shown = show(&signed_in, &proposal, told.status, Some(&told.text));
            waiting(shown, told.wait)
        }
    }
}

fn show(
    signed_in: &SignedIn,
    proposal: &Proposal,
    status: StatusCode,
    wrong: Option<&str>,
) -> Response {
    let shown = TotpPage {
        frame: Frame::of(signed_in, Place::Factors),
        qr: qr(&proposal.uri),
        uri: &proposal.uri,
        typed: &proposal.typed,
        sealed: &proposal.sealed,
        wrong,
    };
    page(status, &shown)
}

/// As SVG, to stand in a page. A text that is too long for one can be typed.
fn qr(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else {
        return String::new();
    };
    let drawn = code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .build();
    match drawn.split_once("?>") {
        Some((_, svg)) => svg.to_owned(),
        None => drawn,
    }
}
