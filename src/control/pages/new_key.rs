//! Making an API key. Its secret is on one page, once.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::Pages;
use super::account::unavailable;
use super::answer::page;
use super::frame::{Frame, Place};
use super::keys;
use super::sign_out::foreign_form;
use super::visitor::SignedIn;
use crate::control::own_keys::{Made, Wanted};
use crate::domain::{ProjectPath, is_hidden};
use crate::store::StoreError;

/// Longest name of a key, in characters.
const MAX_NAME: usize = 100;
/// Longest life of a key that ends by itself.
const MAX_DAYS: u16 = 3650;

#[derive(Template)]
#[template(path = "key_made.html")]
struct KeyMadePage<'a> {
    frame: Frame,
    name: &'a str,
    project: &'a ProjectPath,
    secret: SecretString,
}

/// What the form holds.
#[derive(Debug, Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    csrf_token: String,
    once: String,
    name: String,
    project: String,
    /// Days until it ends by itself; empty: never.
    days: String,
}

/// Makes one for whoever is signed in.
pub(super) async fn submit(
    State(pages): State<Pages>,
    signed_in: SignedIn,
    Form(form): Form<Filled>,
) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    if !visitor
        .sign_ins
        .is_own_form(person.session, &form.csrf_token)
    {
        return foreign_form(visitor);
    }
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    let wanted = match wanted(form) {
        Ok(wanted) => wanted,
        Err(why) => return keys::with(&pages, &signed_in, unfit, Some(why)).await,
    };
    let (name, project) = (wanted.description.clone(), wanted.project.clone());
    let request = visitor.request.clone();
    let holder = (&*person.principal, person.session);
    let made = pages.own_keys.make(request, holder, wanted);
    let (status, wrong) = match made.await {
        Ok(Made::Done(token)) => {
            let shown = KeyMadePage {
                frame: Frame::of(&signed_in, Place::Keys),
                name: &name,
                project: &project,
                secret: token.reveal(),
            };
            return page(StatusCode::CREATED, &shown);
        }
        Ok(Made::Before) => (
            StatusCode::CONFLICT,
            "This form has made its key already. A secret is shown only once: if you have lost \
             it, revoke the key and make another.",
        ),
        Ok(Made::Closed) => (unfit, "You are in no such project."),
        Ok(Made::NotGoodEnough(denial)) => {
            let text = format!(
                "That project asks more of your session. {}",
                denial.message()
            );
            return keys::with(&pages, &signed_in, StatusCode::FORBIDDEN, Some(&text)).await;
        }
        Err(StoreError::Refused(why)) => {
            let text = format!("That project's tenant has a rule: {why}.");
            return keys::with(&pages, &signed_in, unfit, Some(&text)).await;
        }
        Err(error) => return unavailable(visitor, &error),
    };
    keys::with(&pages, &signed_in, status, Some(wrong)).await
}

fn wanted(form: Filled) -> Result<Wanted, &'static str> {
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err("Give the key a name of at most 100 characters.");
    }
    if name.chars().any(is_hidden) {
        return Err("The name has characters that cannot be seen.");
    }
    let project = form.project.parse().map_err(|_| "Choose a project.")?;
    let life = match form.days.as_str() {
        "" => None,
        days => Some(life(days).ok_or("Choose when the key expires.")?),
    };
    Ok(Wanted {
        description: name.to_owned(),
        project,
        life,
        once: form.once,
    })
}

fn life(days: &str) -> Option<TimeDelta> {
    let days = days.parse::<u16>().ok()?;
    let days = (1..=MAX_DAYS).contains(&days).then_some(days)?;
    Some(TimeDelta::days(days.into()))
}
