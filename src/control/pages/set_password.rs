//! A password, by a link that works once.

use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::answer::{message, page, see_other};
use super::sign_in::{Told, told, waiting};
use super::visitor::Visitor;
use crate::control::sign_in::{Given, Refusal};

const NO_LINK: &str = "This link does not work, or not any more: it is good for once, and not for \
                       long. Ask for another one.";

#[derive(Template)]
#[template(path = "set_password.html")]
struct SetPasswordPage<'a> {
    token: &'a str,
    wrong: Option<&'a str>,
}

/// What the link holds.
#[derive(Deserialize)]
pub(super) struct Linked {
    #[serde(default)]
    token: SecretString,
}

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Filled {
    token: SecretString,
    new: SecretString,
    again: SecretString,
}

/// The form. To look at it uses nothing up: programs that look after mail open every link.
pub(super) async fn form(
    visitor: Visitor,
    linked: Result<Query<Linked>, QueryRejection>,
) -> Response {
    let token = linked.map(|Query(linked)| linked.token).unwrap_or_default();
    match visitor.sign_ins.is_good(token.expose_secret()).await {
        Ok(true) => show(token.expose_secret(), None),
        Ok(false) => no_link(&visitor),
        Err(error) => refused(&visitor, &error.into(), token.expose_secret()),
    }
}

/// The form, filled in. Signing in is up to them.
pub(super) async fn submit(
    visitor: Visitor,
    form: Result<Form<Filled>, FormRejection>,
) -> Response {
    if !visitor.from_own_page {
        let text = "The form was sent from another site. Open the link anew and try again.";
        return message(&visitor, StatusCode::FORBIDDEN, "Not from here", text);
    }
    let Ok(Form(form)) = form else {
        return no_link(&visitor);
    };
    let token = form.token.expose_secret();
    let request = visitor.request.clone();
    let given = visitor
        .sign_ins
        .by_link(request, token, (&form.new, &form.again));
    let text = match given.await {
        Ok(Given::Done) => return see_other("/.portcullis/sign-in"),
        Ok(Given::Differs) => "The two passwords are not the same.".to_owned(),
        Ok(Given::Unfit(why)) => format!("Not this one: {why}."),
        Err(refusal) => return refused(&visitor, &refusal, token),
    };
    let wrong = Told {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        text,
        wait: None,
    };
    show(token, Some(&wrong))
}

fn refused(visitor: &Visitor, refusal: &Refusal, token: &str) -> Response {
    match refusal {
        Refusal::Wrong => no_link(visitor),
        other => show(token, Some(&told(other, ""))),
    }
}

fn no_link(visitor: &Visitor) -> Response {
    message(visitor, StatusCode::NOT_FOUND, "No such link", NO_LINK)
}

/// The address of this page is a secret: no other page hears of it. Where it is from is told, or
/// older browsers could not say that the form is ours.
fn show(token: &str, wrong: Option<&Told>) -> Response {
    let shown = SetPasswordPage {
        token,
        wrong: wrong.map(|wrong| &*wrong.text),
    };
    let status = wrong.map_or(StatusCode::OK, |wrong| wrong.status);
    let mut response = page(status, &shown);
    let origin = HeaderValue::from_static("strict-origin");
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, origin);
    waiting(response, wrong.and_then(|wrong| wrong.wait))
}
