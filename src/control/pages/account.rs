//! What people see of themselves.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{message, page, see_other};
use super::sign_in::Told;
use super::sign_out::{OwnForm, foreign_form};
use super::visitor::{SignedIn, Visitor};
use crate::domain::{Session, SessionId};
use crate::store::StoreError;

#[derive(Debug, Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    name: &'a str,
    email: &'a str,
    sessions: Vec<Row>,
    token: String,
    wrong: Option<&'a str>,
}

#[derive(Debug)]
struct Row {
    id: SessionId,
    is_this: bool,
    began: String,
    last_active: String,
    address: String,
    device: String,
}

/// The account of who is signed in.
pub(super) async fn show(signed_in: SignedIn) -> Response {
    with(&signed_in, None).await
}

/// The same, and what was wrong with what they asked for.
pub(super) async fn with(signed_in: &SignedIn, wrong: Option<&Told>) -> Response {
    let SignedIn { visitor, person } = signed_in;
    let sessions = match visitor.sign_ins.sessions(person.principal.id).await {
        Ok(sessions) => sessions,
        Err(error) => return unavailable(visitor, &error),
    };
    let row = |session: Session| Row {
        id: session.id,
        is_this: session.id == person.session,
        began: moment(session.created_at),
        last_active: moment(session.last_active_at),
        address: session
            .address
            .map_or_else(String::new, |ip| ip.to_string()),
        device: session.user_agent,
    };
    let shown = AccountPage {
        name: &person.principal.name,
        email: person.principal.email.as_deref().unwrap_or_default(),
        sessions: sessions.into_iter().map(row).collect(),
        token: visitor.sign_ins.form_token(person.session),
        wrong: wrong.map(|wrong| &*wrong.text),
    };
    page(wrong.map_or(StatusCode::OK, |wrong| wrong.status), &shown)
}

/// Ends one of one's own sessions.
pub(super) async fn end_session(
    signed_in: SignedIn,
    Path(session): Path<String>,
    Form(form): Form<OwnForm>,
) -> Response {
    let SignedIn { visitor, person } = signed_in;
    if !visitor
        .sign_ins
        .is_own_form(person.session, &form.csrf_token)
    {
        return foreign_form(&visitor);
    }
    let Ok(session) = session.parse::<SessionId>() else {
        return see_other("/.portcullis/account");
    };
    let request = visitor.request.clone();
    let ended = visitor.sign_ins.end(request, person.principal.id, session);
    match ended.await {
        Ok(()) | Err(StoreError::NotFound { .. }) => see_other("/.portcullis/account"),
        Err(error) => unavailable(&visitor, &error),
    }
}

fn unavailable(visitor: &Visitor, error: &StoreError) -> Response {
    tracing::error!(%error, "an account cannot be shown or changed");
    let text = "Your account cannot be reached at the moment. Try again.";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    message(visitor, status, "Not now", text)
}

pub(super) fn moment(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
