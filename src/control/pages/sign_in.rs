//! Signing in.

use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::answer::{message, scripted_page, see_other, with_return};
use super::cookie::{with_cookie, with_device};
use super::visitor::Visitor;
use crate::control::sign_in::{Begun, Refusal, Typed};
use crate::domain::{ReturnPath, SessionCookie};

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    /// The name that was typed.
    email: &'a str,
    /// Where to go afterwards.
    back: &'a ReturnPath,
    /// What was wrong.
    wrong: Option<&'a str>,
    /// Whether there are passkeys.
    passkeys: bool,
    /// Whether a forgotten password can be asked for.
    letters: bool,
    /// Other services that sign people in here: the way there, and what it is called.
    providers: Vec<(String, String)>,
}

/// Where the browser came from.
#[derive(Debug, Default, Deserialize)]
pub(super) struct From {
    #[serde(default, rename = "return")]
    pub(super) back: String,
}

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Filled {
    email: String,
    password: SecretString,
    #[serde(default, rename = "return")]
    back: String,
}

/// The form. Whoever is signed in goes on.
pub(super) async fn form(visitor: Visitor, from: Result<Query<From>, QueryRejection>) -> Response {
    let back = back(&from.map(|Query(from)| from.back).unwrap_or_default());
    if visitor.person.is_some() {
        return see_other(back.as_str());
    }
    if visitor.cookie.is_none() {
        return unsafe_here(&visitor);
    }
    show(&visitor, "", &back, None)
}

/// The form, filled in.
pub(super) async fn submit(
    visitor: Visitor,
    form: Result<Form<Filled>, FormRejection>,
) -> Response {
    let Some(cookie) = visitor.cookie else {
        return unsafe_here(&visitor);
    };
    if !visitor.from_own_page {
        let text = "The form was sent from another site. Open this page anew and try again.";
        return message(&visitor, StatusCode::FORBIDDEN, "Not from here", text);
    }
    let Form(filled) = match form {
        Ok(form) => form,
        Err(error) => {
            let text = "The form cannot be read.";
            return message(&visitor, error.status(), "Not signed in", text);
        }
    };
    let back = back(&filled.back);
    if let Some(home) = visitor.sign_ins.home_of(&filled.email)
        && filled.password.expose_secret().is_empty()
    {
        return super::provider::lead(&visitor, &home, &back);
    }
    let typed = Typed {
        name: filled.email,
        password: filled.password,
    };
    let signed_in = visitor
        .sign_ins
        .by_password(visitor.request.clone(), &typed, visitor.device.as_deref())
        .await;
    match signed_in {
        Ok(begun) => begun_at(&begun, cookie, &back),
        Err(refusal) => refused(&visitor, &refusal, &typed.name, &back),
    }
}

/// On to where they wanted, or first to their second factor.
pub(super) fn begun_at(begun: &Begun, cookie: SessionCookie, back: &ReturnPath) -> Response {
    let to = if begun.pending {
        with_return("/.portcullis/second-factor", back)
    } else {
        back.as_str().to_owned()
    };
    let response = with_cookie(see_other(&to), cookie, &begun.token);
    with_device(response, cookie, begun.device.as_ref())
}

fn refused(visitor: &Visitor, refusal: &Refusal, email: &str, back: &ReturnPath) -> Response {
    let told = told(refusal, "The address or the password is wrong.");
    show(visitor, email, back, Some(&told))
}

/// The form, and what was wrong with it.
pub(super) fn show(
    visitor: &Visitor,
    email: &str,
    back: &ReturnPath,
    wrong: Option<&Told>,
) -> Response {
    let shown = SignInPage {
        email,
        back,
        wrong: wrong.map(|told| &*told.text),
        passkeys: visitor.sign_ins.has_passkeys(),
        letters: visitor.sign_ins.sends_letters(),
        providers: super::provider::ways(visitor, back),
    };
    let status = wrong.map_or(StatusCode::OK, |told| told.status);
    waiting(
        scripted_page(status, &shown, shown.passkeys),
        wrong.and_then(|told| told.wait),
    )
}

/// What somebody hears who is not signed in.
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) text: String,
    /// Seconds until they may try again.
    pub(super) wait: Option<u64>,
}

pub(super) fn told(refusal: &Refusal, wrong: &str) -> Told {
    let (status, text, wait) = match refusal {
        Refusal::Wrong => (StatusCode::UNAUTHORIZED, wrong.to_owned(), None),
        Refusal::Throttled(wait) => (
            StatusCode::TOO_MANY_REQUESTS,
            format!("Too many attempts. Try again in {}.", in_words(*wait)),
            Some(*wait),
        ),
        Refusal::NotByPassword => (
            StatusCode::FORBIDDEN,
            "Your organisation lets nobody in by password. Sign in another way.".to_owned(),
            None,
        ),
        Refusal::Away => (
            StatusCode::SERVICE_UNAVAILABLE,
            "That service does not answer. Try again, or sign in another way.".to_owned(),
            Some(5),
        ),
        Refusal::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many people are signing in. Try again in a moment.".to_owned(),
            Some(1),
        ),
        Refusal::Failed(error) => {
            tracing::error!(%error, "nobody can be signed in");
            let text = "Signing in does not work at the moment. Try again later.";
            (StatusCode::SERVICE_UNAVAILABLE, text.to_owned(), Some(5))
        }
    };
    Told { status, text, wait }
}

pub(super) fn waiting(mut response: Response, wait: Option<u64>) -> Response {
    if let Some(wait) = wait {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

fn in_words(seconds: u64) -> String {
    match seconds {
        1 => "a second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

pub(super) fn back(text: &str) -> ReturnPath {
    text.parse().unwrap_or_default()
}

pub(super) fn unsafe_here(visitor: &Visitor) -> Response {
    let text = "Nobody can be signed in over a connection that others can read. Use the address \
                of this site that begins with https://.";
    message(
        visitor,
        StatusCode::FORBIDDEN,
        "Not over this connection",
        text,
    )
}
