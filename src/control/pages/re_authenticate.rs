//! Proving anew who one is.

use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::SecretString;
use serde::Deserialize;

use super::account::unavailable;
use super::answer::{scripted_page, see_other};
use super::cookie::with_cookie;
use super::passkeys::answer;
use super::provider::listed;
use super::sign_in::{From, Told, back, begun_at, told, waiting};
use super::sign_out::foreign_form;
use super::visitor::SignedIn;
use super::{kept, second_factor};
use crate::control::sign_in::{Begun, Ways};
use crate::domain::{ReturnPath, SessionCookie};

#[derive(Debug, Template)]
#[template(path = "re_authenticate.html")]
struct ReAuthenticatePage<'a> {
    email: &'a str,
    back: &'a ReturnPath,
    token: String,
    /// A form that waits, sealed.
    kept: &'a str,
    wrong: Option<&'a str>,
    /// Whether they can do it by a password.
    password: bool,
    /// Whether by a passkey.
    passkeys: bool,
    /// Other services that they have come from: the way there, and what it is called.
    providers: Vec<(String, String)>,
}

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    csrf_token: String,
    /// Left out by who has used a passkey.
    password: Option<SecretString>,
    #[serde(default)]
    ceremony: String,
    #[serde(default)]
    credential: String,
    #[serde(default, rename = "return")]
    back: String,
    #[serde(default)]
    kept: String,
}

/// The form.
pub(super) async fn form(
    signed_in: SignedIn,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let back = back(&from.map(|Query(from)| from.back).unwrap_or_default());
    show(&signed_in, &back, None, None).await
}

/// The form, filled in. Another session takes the place of this one.
pub(super) async fn submit(signed_in: SignedIn, Form(form): Form<Filled>) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sign_ins = &visitor.sign_ins;
    if !sign_ins.is_own_form(person.session, &form.csrf_token) {
        return foreign_form(visitor);
    }
    let back = back(&form.back);
    let request = visitor.request.clone();
    let (of, former) = (&person.principal, person.session);
    let renewed = if let Some(password) = &form.password {
        let renewed = sign_ins.re_authenticate(request, of, former, password);
        renewed.await
    } else {
        let answered = answer(&form.ceremony, form.credential);
        let renewed = sign_ins.re_authenticate_by_passkey(request, of, former, &answered);
        renewed.await
    };
    match (renewed, visitor.cookie) {
        (Ok(begun), Some(cookie)) => go_on(signed_in, &begun, cookie, (&back, &form.kept)).await,
        (Ok(_), None) => see_other("/.portcullis/sign-in"),
        (Err(refusal), _) => {
            let wrong = match form.password {
                Some(_) => "The password is wrong.",
                None => "This passkey does not prove it.",
            };
            let Told { status, text, wait } = told(&refusal, wrong);
            let kept = Some(&*form.kept);
            let mut response = show(&signed_in, &back, kept, Some(&text)).await;
            *response.status_mut() = status;
            waiting(response, wait)
        }
    }
}

/// On to where they wanted, with the form that they had sent.
async fn go_on(
    mut signed_in: SignedIn,
    begun: &Begun,
    cookie: SessionCookie,
    (back, kept): (&ReturnPath, &str),
) -> Response {
    let session = begun.token.id();
    let shown = if kept.is_empty() {
        None
    } else if begun.pending {
        signed_in.person.session = session;
        Some(second_factor::ask(&signed_in, back, kept).await)
    } else {
        kept::again(&signed_in, session, kept)
    };
    match shown {
        Some(shown) => with_cookie(shown, cookie, &begun.token),
        None => begun_at(begun, cookie, back),
    }
}

pub(super) async fn show(
    signed_in: &SignedIn,
    back: &ReturnPath,
    kept: Option<&str>,
    wrong: Option<&str>,
) -> Response {
    let SignedIn { visitor, person } = signed_in;
    let ways = visitor.sign_ins.ways_of(person.principal.id).await;
    let Ways {
        providers,
        password,
        passkeys,
    } = match ways {
        Ok(ways) => ways,
        Err(error) => return unavailable(visitor, &error),
    };
    let shown = ReAuthenticatePage {
        email: person.principal.email.as_deref().unwrap_or_default(),
        back,
        token: visitor.sign_ins.form_token(person.session),
        kept: kept.unwrap_or_default(),
        wrong,
        // Somebody who has no way at all is told so by what they try.
        password: password || (!passkeys && providers.is_empty()),
        passkeys,
        providers: listed(providers, back),
    };
    scripted_page(StatusCode::OK, &shown, passkeys)
}
