//! Who asks, as the data plane tells.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};

use super::Api;
use super::problem::Problem;
use crate::cache::{CachedKey, KeyEntry};
use crate::control::{own_form, told};
use crate::domain::{Actor, ControlHeaders, KeyId, Principal, SessionId};
use crate::policy::CredentialLimits;
use crate::store::api::ApiRequest;

const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// A principal whose request was permitted, and what its credential is limited to.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) principal: Arc<Principal>,
    pub(super) limits: Arc<CredentialLimits>,
    /// The session that it came with.
    pub(super) session: Option<SessionId>,
    /// For the audit event.
    pub(super) request: ApiRequest,
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let headers = &parts.headers;
        let id = told(headers, &ControlHeaders::PRINCIPAL)?;
        let session = told::session(headers);
        if let Some(session) = session.filter(|_| !parts.method.is_safe()) {
            is_from_own_script(api, session, headers)?;
        }
        let limits = limits(api, headers).await?;
        let table = api.tables.current();
        let principal = id.parse().ok().and_then(|id| table.principal(id));
        let principal = principal.ok_or_else(|| Problem::internal("no such caller"))?;
        let actor = Actor {
            kind: principal.kind.as_str(),
            id: Some(principal.id.to_string()),
            email: principal.email.clone(),
        };
        let request = told::request(parts, actor);
        Ok(Self {
            limits,
            session,
            request: request.ok_or_else(|| Problem::internal("something was not told"))?,
            principal: Arc::clone(principal),
        })
    }
}

/// A page of this site may show what a backend made of somebody's input: that it is of the same
/// origin says too little for what is decided here.
fn is_from_own_script(api: &Api, session: SessionId, headers: &HeaderMap) -> Result<(), Problem> {
    let sent = told::told(headers, &CSRF_TOKEN);
    if sent.is_some_and(|sent| own_form::is_token(&api.pepper, session, sent)) {
        return Ok(());
    }
    let detail = "With a session, send the `csrf_token` of GET /me as X-CSRF-Token.";
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "csrf_token_wrong",
        detail,
    ))
}

/// What the data plane always tells.
pub(super) fn told<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Problem> {
    told::told(headers, name).ok_or_else(|| Problem::internal("something was not told"))
}

/// A key was used a moment ago, so it is in memory, unless something was just changed. A
/// session narrows nothing.
async fn limits(api: &Api, headers: &HeaderMap) -> Result<Arc<CredentialLimits>, Problem> {
    if told::session(headers).is_some() {
        return Ok(CredentialLimits::none().into());
    }
    let limits = limits_of_key(api, headers).await?;
    let scopes = told::told(headers, &ControlHeaders::SCOPES);
    Ok(match (scopes, &api.oauth2) {
        (None, _) => limits,
        (Some(scopes), Some(oauth2)) => {
            let permissions = oauth2.permissions(scopes, &api.tables.catalogue());
            Arc::new(limits.within(permissions, scopes))
        }
        (Some(_), None) => return Err(Problem::internal("a token, and no scopes")),
    })
}

/// Those of the key, or of the one that an access token was given for.
async fn limits_of_key(api: &Api, headers: &HeaderMap) -> Result<Arc<CredentialLimits>, Problem> {
    let id = told(headers, &ControlHeaders::CREDENTIAL)?.parse::<KeyId>();
    let id = id.map_err(|_| Problem::internal("no credential"))?;
    if let Some(KeyEntry::Found(found)) = api.keys.get(&id) {
        return Ok(Arc::clone(&found.limits));
    }
    let key = api.db.find_key(&id).await?;
    let key = key.ok_or_else(|| Problem::internal("no such credential"))?;
    let catalogue = api.tables.catalogue();
    Ok(Arc::clone(&CachedKey::new(key, &catalogue).limits))
}
