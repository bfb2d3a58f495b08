//! Who asks, as the data plane tells.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use chrono::DateTime;

use super::Api;
use super::problem::Problem;
use crate::cache::{CachedKey, KeyEntry};
use crate::domain::{Actor, ControlHeaders, KeyId, Principal};
use crate::policy::CredentialLimits;
use crate::store::api::ApiRequest;

/// Longest user agent that is recorded, in bytes.
const MAX_USER_AGENT: usize = 512;

/// A principal whose request was permitted, and what its credential is limited to.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) principal: Arc<Principal>,
    pub(super) limits: Arc<CredentialLimits>,
    /// For the audit event.
    pub(super) request: ApiRequest,
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let headers = &parts.headers;
        let id = told(headers, &ControlHeaders::PRINCIPAL)?;
        let limits = limits(api, headers).await?;
        let table = api.tables.current();
        let principal = id.parse().ok().and_then(|id| table.principal(id));
        let principal = principal.ok_or_else(|| Problem::internal("no such caller"))?;
        Ok(Self {
            limits,
            request: request(parts, principal)?,
            principal: Arc::clone(principal),
        })
    }
}

/// What the data plane always tells.
pub(super) fn told<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Problem> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| Problem::internal("something was not told"))
}

/// The key was used a moment ago, so it is in memory, unless something was just changed.
async fn limits(api: &Api, headers: &HeaderMap) -> Result<Arc<CredentialLimits>, Problem> {
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

fn request(parts: &Parts, principal: &Principal) -> Result<ApiRequest, Problem> {
    let headers = &parts.headers;
    let optional = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let event = told(headers, &ControlHeaders::EVENT)?.parse().ok();
    let arrived = told(headers, &ControlHeaders::ARRIVED)?.parse().ok();
    let arrived = arrived.and_then(DateTime::from_timestamp_micros);
    let agent = optional(&header::USER_AGENT);
    Ok(ApiRequest {
        event: event.ok_or_else(|| Problem::internal("no event"))?,
        arrived: arrived.ok_or_else(|| Problem::internal("no time"))?,
        actor: Actor {
            kind: principal.kind.as_str(),
            id: Some(principal.id.to_string()),
            email: principal.email.clone(),
        },
        credential: optional(&ControlHeaders::CREDENTIAL).map(str::to_owned),
        ip: optional(&HeaderName::from_static("x-forwarded-for")).and_then(|ip| ip.parse().ok()),
        // Visible ASCII, so it may be cut anywhere.
        user_agent: agent.map(|agent| agent[..agent.len().min(MAX_USER_AGENT)].to_owned()),
        method: parts.method.to_string(),
        route: told(headers, &ControlHeaders::ROUTE)?.to_owned(),
        request_id: told(headers, &HeaderName::from_static("x-request-id"))?.to_owned(),
        path: parts.uri.path().to_owned(),
    })
}
