//! Where somebody is signed in.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::account::unavailable;
use super::answer::{gone, page, see_other};
use super::device::device;
use super::frame::{Frame, Place};
use super::moment::Moment;
use super::sign_out::{OwnForm, foreign_form};
use super::visitor::SignedIn;
use crate::domain::{Session, SessionId};
use crate::store::StoreError;

const HERE: &str = "/.portcullis/account/sessions";

#[derive(Debug, Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    sessions: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: SessionId,
    is_this: bool,
    began: Moment,
    last_active: Moment,
    address: String,
    device: String,
}

impl Row {
    fn new(session: &Session, this: SessionId) -> Self {
        let address = session.address.map(|ip| ip.to_string());
        Self {
            id: session.id,
            is_this: session.id == this,
            began: session.created_at.into(),
            last_active: session.last_active_at.into(),
            address: address.unwrap_or_else(|| "unknown".to_owned()),
            device: device(&session.user_agent),
        }
    }
}

/// All that go on.
pub(super) async fn show(signed_in: SignedIn) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    let sessions = match visitor.sign_ins.sessions(person.principal.id).await {
        Ok(sessions) => sessions,
        Err(error) => return unavailable(visitor, &error),
    };
    let rows = sessions.iter().map(|it| Row::new(it, person.session));
    let shown = SessionsPage {
        frame: Frame::of(&signed_in, Place::Sessions),
        sessions: rows.collect(),
    };
    page(StatusCode::OK, &shown)
}

/// Ends one of one's own.
pub(super) async fn end(
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
        return gone(&visitor, HERE);
    };
    let request = visitor.request.clone();
    let ended = visitor.sign_ins.end(request, person.principal.id, session);
    match ended.await {
        Ok(()) => see_other(HERE),
        Err(StoreError::NotFound { .. }) => gone(&visitor, HERE),
        Err(error) => unavailable(&visitor, &error),
    }
}
