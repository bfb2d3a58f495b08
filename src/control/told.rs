//! What the data plane tells of a request: all of it is believed, for nobody else can speak here.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use chrono::DateTime;

use crate::domain::{Actor, ControlHeaders, SessionId};
use crate::store::api::ApiRequest;

/// Longest user agent that is recorded, in bytes.
const MAX_USER_AGENT: usize = 512;

/// One of the fields, if it was told.
pub(super) fn told<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The session that the request came with.
pub(super) fn session(headers: &HeaderMap) -> Option<SessionId> {
    told(headers, &ControlHeaders::SESSION)?.parse().ok()
}

/// The client's address.
pub(super) fn address(headers: &HeaderMap) -> Option<IpAddr> {
    told(headers, &HeaderName::from_static("x-forwarded-for"))?
        .parse()
        .ok()
}

/// The request for the audit event; `None` if something is missing that is always told.
pub(super) fn request(parts: &Parts, actor: Actor) -> Option<ApiRequest> {
    let headers = &parts.headers;
    let told = |name: &HeaderName| told(headers, name);
    let arrived = told(&ControlHeaders::ARRIVED)?.parse().ok()?;
    let agent = told(&header::USER_AGENT);
    Some(ApiRequest {
        event: told(&ControlHeaders::EVENT)?.parse().ok()?,
        arrived: DateTime::from_timestamp_micros(arrived)?,
        actor,
        credential: told(&ControlHeaders::CREDENTIAL).map(str::to_owned),
        ip: address(headers),
        // Visible ASCII, so it may be cut anywhere.
        user_agent: agent.map(|agent| agent[..agent.len().min(MAX_USER_AGENT)].to_owned()),
        method: parts.method.to_string(),
        route: told(&ControlHeaders::ROUTE)?.to_owned(),
        request_id: told(&HeaderName::from_static("x-request-id"))?.to_owned(),
        path: parts.uri.path().to_owned(),
    })
}
