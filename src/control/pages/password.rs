//! Another password.

use axum::Form;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::SecretString;
use serde::Deserialize;

use super::account;
use super::answer::see_other;
use super::cookie::with_cookie;
use super::sign_in::{Told, told, waiting};
use super::sign_out::foreign_form;
use super::visitor::SignedIn;
use crate::control::sign_in::{Change, Changed};

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Filled {
    csrf_token: String,
    current: SecretString,
    new: SecretString,
    again: SecretString,
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
    waiting(account::with(&signed_in, Some(&wrong)).await, wait)
}

fn unfit(text: &str) -> Told {
    Told {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        text: text.to_owned(),
        wait: None,
    }
}
