//! Who looks at a page, as the data plane tells.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::Pages;
use crate::authn::Caller;
use crate::control::sign_in::{SignIns, is_from_own_page};
use crate::control::told;
use crate::domain::{Actor, ControlHeaders, Principal, SessionCookie, SessionId};
use crate::store::api::ApiRequest;

/// Anybody.
#[derive(Debug)]
pub(super) struct Visitor {
    /// For the audit event.
    pub(super) request: ApiRequest,
    /// Who is signed in.
    pub(super) person: Option<Person>,
    /// Whether the browser says that it comes from a page of this site.
    pub(super) from_own_page: bool,
    /// Whether their browser goes to the page, as far as it says.
    pub(super) is_navigation: bool,
    /// The cookie that their browser keeps; `None` where none is safe: in cleartext from
    /// another machine.
    pub(super) cookie: Option<SessionCookie>,
    /// What their browser shows of sign-ins before.
    pub(super) device: Option<String>,
    /// What their browser has while it is away at another service.
    pub(super) errand: Option<String>,
    /// The project that their browser says they work in.
    pub(super) chosen: Option<String>,
    /// Signs them in.
    pub(super) sign_ins: SignIns,
}

/// Somebody with a session.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) principal: Arc<Principal>,
    pub(super) session: SessionId,
}

/// Somebody signed in with a session, and nobody else.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) visitor: Visitor,
    pub(super) person: Person,
}

impl FromRequestParts<Pages> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Response> {
        let person = person(parts, pages);
        let actor = match &person {
            Some(person) => Actor {
                kind: person.principal.kind.as_str(),
                id: Some(person.principal.id.to_string()),
                email: person.principal.email.clone(),
            },
            None => Actor {
                kind: "anonymous",
                id: None,
                email: None,
            },
        };
        let request = told::request(parts, actor);
        let sign_ins = pages.sign_ins.clone();
        let (Some(request), Some(sign_ins)) = (request, sign_ins) else {
            return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        let told = |name| told::told(&parts.headers, name).map(str::to_owned);
        let scheme = parts.headers.get("x-forwarded-proto");
        let https = scheme.is_some_and(|scheme| scheme == "https");
        let caller = Caller {
            ip: request.ip,
            https,
            route: None,
        };
        Ok(Self {
            cookie: caller.cookie(),
            device: told(&ControlHeaders::DEVICE),
            chosen: told(&ControlHeaders::CHOSEN_PROJECT),
            errand: told(&ControlHeaders::ERRAND),
            // A frame in another site's page navigates, too.
            is_navigation: [
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ]
            .into_iter()
            .all(|(name, wanted)| parts.headers.get(name).is_none_or(|it| it == wanted)),
            from_own_page: is_from_own_page(&parts.headers),
            request,
            person,
            sign_ins,
        })
    }
}

impl FromRequestParts<Pages> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Response> {
        let mut visitor = Visitor::from_request_parts(parts, pages).await?;
        match visitor.person.take() {
            Some(person) => Ok(Self { visitor, person }),
            None => Err(super::answer::message(
                &visitor,
                StatusCode::FORBIDDEN,
                "Not signed in",
                "This page is for people who are signed in. A key does not open it.",
            )),
        }
    }
}

fn person(parts: &Parts, pages: &Pages) -> Option<Person> {
    let session = told::session(&parts.headers)?;
    let id = told::told(&parts.headers, &ControlHeaders::PRINCIPAL)?;
    let table = pages.tables.current();
    let principal = table.principal(id.parse().ok()?)?;
    Some(Person {
        principal: Arc::clone(principal),
        session,
    })
}
