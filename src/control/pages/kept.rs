//! A form that was sent too long after its sender had signed in.

use askama::Template;
use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::page;
use super::re_authenticate;
use super::sign_in::{From, back};
use super::sign_out::foreign_form;
use super::visitor::SignedIn;
use crate::control::sign_in::{KeptForm, SignIns};
use crate::domain::{ReturnPath, SessionId};

/// The field that holds the token of a session, in our own forms.
const TOKEN: &str = "csrf_token";

#[derive(Debug, Template)]
#[template(path = "kept.html")]
struct KeptPage {
    to: ReturnPath,
    fields: Vec<(String, String)>,
}

/// Takes the form, as its browser was told to send it here, and asks for the password.
pub(super) async fn submit(
    signed_in: SignedIn,
    from: Result<Query<From>, QueryRejection>,
    body: Bytes,
) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    if !visitor.from_own_page {
        return foreign_form(visitor);
    }
    let sign_ins = &visitor.sign_ins;
    let to = back(&from.map(|Query(from)| from.back).unwrap_or_default());
    let kept = sign_ins.keep_form(person.principal.id, &to, &body);
    let kept = kept.filter(|sealed| {
        let form = sign_ins.kept_form(person.principal.id, sealed);
        form.is_some_and(|form| is_whole(sign_ins, person.session, &form))
    });
    re_authenticate::show(&signed_in, &to, kept.as_deref(), None).await
}

/// A form of ours holds the token of the session it was sent with, or nobody may send it again.
fn is_whole(sign_ins: &SignIns, session: SessionId, form: &KeptForm) -> bool {
    let mut tokens = form.fields.iter().filter(|(name, _)| name == TOKEN);
    !is_own(&form.to)
        || matches!((tokens.next(), tokens.next()),
            (Some((_, token)), None) if sign_ins.is_own_form(session, token))
}

fn is_own(to: &ReturnPath) -> bool {
    to.as_str().starts_with("/.portcullis/")
}

/// The form once more, for this session; `None`: there is none.
pub(super) fn again(signed_in: &SignedIn, session: SessionId, sealed: &str) -> Option<Response> {
    let SignedIn { visitor, person } = signed_in;
    let sign_ins = &visitor.sign_ins;
    let KeptForm { to, mut fields } = sign_ins.kept_form(person.principal.id, sealed)?;
    if is_own(&to) {
        let tokens = fields.iter_mut().filter(|(name, _)| name == TOKEN);
        tokens.for_each(|(_, token)| *token = sign_ins.form_token(session));
    }
    Some(page(StatusCode::OK, &KeptPage { to, fields }))
}
