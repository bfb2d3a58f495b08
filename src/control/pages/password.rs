//! Another password.

use askama::Template;
use axum::Form;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::SecretString;
use serde::Deserialize;

use super::answer::{page, see_other};
use super::cookie::with_cookie;
use super::frame::{Frame, Place};
use super::sign_in::{Told, told, waiting};
use super::sign_out::foreign_form;
use super::visitor::SignedIn;
use crate::control::sign_in::{Change, Changed};

#[derive(Debug, Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    frame: Frame,
    wrong: Option<&'a str>,
}

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    csrf_token: String,
    current: SecretString,
    new: SecretString,
    again: SecretString,
}

/// The form.
pub(super) async fn form(signed_in: SignedIn) -> Response {
    show(&signed_in, None)
}

fn show(signed_in: &SignedIn, wrong: Option<&Told>) -> Response {
    let shown = PasswordPage {
        frame: Frame::of(signed_in, Place::Password),
        wrong: wrong.map(|wrong| &*wrong.text),
    };
    page(wrong.map_or(StatusCode::OK, |wrong| wrong.status), &shown)
}

/// Changes it. Every other session ends, and this one has another cookie.
pub(super) async fn submit(signed_in: SignedIn, Form(form): Form<Filled>) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    if !visitor
        .sign_ins
        .is_own_form(person.session, &form.csrf_token)
    {
        return foreign_form(visitor);
    }
    let typed = Change {
        current: form.current,
        new: form.new,
        again: form.again,
    };
    let request = visitor.request.clone();
    let sign_ins = &visitor.sign_ins;
    let changed = sign_ins.change_password(request, &person.principal, person.session, &typed);
    let wrong = match (changed.await, visitor.cookie) {
        (Ok(Changed::Done(token)), Some(cookie)) => {
            return with_cookie(see_other("/.portcullis/account"), cookie, &token);
        }
        (Ok(Changed::Done(_)), None) => return see_other("/.portcullis/sign-in"),
        (Ok(Changed::Differs), _) => unfit("The two new passwords are not the same."),
        (Ok(Changed::Unfit(why)), _) => unfit(&format!("Not this one: {why}.")),
        (Err(refusal), _) => told(&refusal, "The current password is wrong."),
    };
    let wait = wrong.wait;
    waiting(show(&signed_in, Some(&wrong)), wait)
}

fn unfit(text: &str) -> Told {
    Told {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        text: text.to_owned(),
        wait: None,
    }
}
