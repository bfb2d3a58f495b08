//! A forgotten password.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::answer::{message, page};
use super::sign_in::{Told, told, waiting};
use super::visitor::Visitor;

#[derive(Debug, Template)]
#[template(path = "forgotten.html")]
struct ForgottenPage<'a> {
    wrong: Option<&'a str>,
    /// Whether it was asked for.
    asked: bool,
}

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    email: String,
}

/// The form.
pub(super) async fn form(visitor: Visitor) -> Response {
    if !visitor.sign_ins.sends_letters() {
        return none_here(&visitor);
    }
    show(StatusCode::OK, None, false)
}

/// The form, filled in: one answer, whoever it is.
pub(super) async fn submit(
    visitor: Visitor,
    form: Result<Form<Filled>, FormRejection>,
) -> Response {
    if !visitor.from_own_page {
        let text = "The form was sent from another site. Open this page anew and try again.";
        return message(&visitor, StatusCode::FORBIDDEN, "Not from here", text);
    }
    if !visitor.sign_ins.sends_letters() {
        return none_here(&visitor);
    }
    let email = form.map(|Form(form)| form.email).unwrap_or_default();
    match visitor.sign_ins.forgotten(&visitor.request, &email).await {
        Ok(()) => show(StatusCode::OK, None, true),
        Err(refusal) => {
            let Told { status, text, wait } = told(&refusal, "");
            waiting(show(status, Some(&text), false), wait)
        }
    }
}

fn none_here(visitor: &Visitor) -> Response {
    let text = "No mail is sent from here. Ask whoever runs this site for a link.";
    message(visitor, StatusCode::NOT_FOUND, "Not here", text)
}

fn show(status: StatusCode, wrong: Option<&str>, asked: bool) -> Response {
    page(status, &ForgottenPage { wrong, asked })
}
