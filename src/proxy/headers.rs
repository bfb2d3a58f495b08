//! The upstream request, rebuilt from the permit: nothing of the client's request
//! passes that is not named here.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use pingora::http::RequestHeader;
use pingora::{ErrorType, OrErr as _};

use super::client::{Client, X_REQUEST_ID};
use super::cookies;
use super::upstream::Upstream;
use crate::config::HostRewrite;
use crate::policy::{CanonicalRequest, Field, Permit, Template};

/// Client fields that a backend may see. All else is dropped: hop-by-hop fields,
/// credentials, fields of other proxies, and every spelling of a field of ours.
pub(super) const PASSED: [&str; 39] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "baggage",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "dnt",
    "expect",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "pragma",
    "prefer",
    "range",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "traceparent",
    "tracestate",
    "upgrade-insecure-requests",
    "user-agent",
    "want-digest",
    "x-requested-with",
];

/// Builds the request that is sent upstream.
///
/// # Errors
///
/// If an identity header's value cannot be sent: leaving it out would tell the
/// backend less than it relies on.
pub(super) fn upstream_request(
    permit: &Permit,
    request: &CanonicalRequest,
    sent: &HeaderMap,
    client: &Client,
    upstream: &Upstream,
) -> pingora::Result<RequestHeader> {
    let target = request.target();
    let mut built = RequestHeader::build(request.method().clone(), target.as_bytes(), Some(32))?;
    put_host(&mut built, request, sent, upstream)?;
    copy_passed(&mut built, sent, permit, &upstream.passed)?;
    if let Some(kept) = cookies::without_own(sent) {
        built.insert_header(header::COOKIE, kept)?;
    }
    if permit.route().websocket && !upstream.http2 && is_websocket(request.method(), sent) {
        put_websocket(&mut built, sent)?;
    }
    put_framing(&mut built, request.method(), sent, upstream)?;
    put_forwarded(&mut built, request, client)?;
    put_identity(&mut built, permit, &upstream.identity)?;
    Ok(built)
}

/// Backends check that Host and Origin are their own. An Origin that is the
/// gateway's is rewritten alike; a foreign one stays as it is, for the backend to
/// refuse.
fn put_host(
    built: &mut RequestHeader,
    request: &CanonicalRequest,
    sent: &HeaderMap,
    upstream: &Upstream,
) -> pingora::Result<()> {
    let origin = sent.get(header::ORIGIN);
    let own = match &upstream.host {
        HostRewrite::Client => {
            built.insert_header(header::HOST, request.authority())?;
            return copy(built, &header::ORIGIN, origin);
        }
        HostRewrite::Upstream(own) | HostRewrite::Literal(own) => own,
    };
    built.insert_header(header::HOST, &**own)?;
    match origin {
        Some(origin) if is_same_origin(origin, request.authority()) => {
            built.insert_header(header::ORIGIN, format!("{}://{own}", upstream.scheme()))
        }
        other => copy(built, &header::ORIGIN, other),
    }
}

fn is_same_origin(origin: &HeaderValue, own: &str) -> bool {
    let origin = origin.as_bytes();
    let authority = origin
        .strip_prefix(b"http://")
        .or_else(|| origin.strip_prefix(b"https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(own.as_bytes()))
}

fn copy(
    built: &mut RequestHeader,
    name: &HeaderName,
    value: Option<&HeaderValue>,
) -> pingora::Result<()> {
    match value {
        Some(value) => built.insert_header(name.clone(), value.clone()),
        None => Ok(()),
    }
}

fn copy_passed(
    built: &mut RequestHeader,
    sent: &HeaderMap,
    permit: &Permit,
    passed: &[&str],
) -> pingora::Result<()> {
    let added = &permit.route().forward_headers;
    for (name, value) in sent {
        if passed.binary_search(&name.as_str()).is_ok() || added.contains(name) {
            built.append_header(name.clone(), value.clone())?;
        }
    }
    Ok(())
}

/// The length as a number, in the one spelling it has. Backends that leave the body of a
/// DELETE unread are known: none of them may take it for the next request.
fn put_framing(
    built: &mut RequestHeader,
    method: &Method,
    sent: &HeaderMap,
    upstream: &Upstream,
) -> pingora::Result<()> {
    let length = sent.get(header::CONTENT_LENGTH);
    if let Some(length) = length.filter(|length| length.as_bytes().starts_with(b"0")) {
        let digits = length.as_bytes();
        let first = digits.iter().position(|digit| *digit != b'0');
        let digits = first.map_or(&b"0"[..], |first| &digits[first..]);
        built.insert_header(header::CONTENT_LENGTH, digits)?;
    }
    let has_body = length.is_some() || sent.contains_key(header::TRANSFER_ENCODING);
    if method == Method::DELETE && has_body && !upstream.http2 {
        built.insert_header(header::CONNECTION, "close")?;
    }
    Ok(())
}

/// RFC 6455 §4.1: GET, `Connection: Upgrade`, `Upgrade: websocket`.
fn is_websocket(method: &Method, sent: &HeaderMap) -> bool {
    let has_token = |name: &HeaderName, token: &str| {
        sent.get_all(name).iter().any(|value| {
            value
                .as_bytes()
                .split(|b| *b == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        })
    };
    method == Method::GET
        && has_token(&header::CONNECTION, "upgrade")
        && has_token(&header::UPGRADE, "websocket")
}

fn put_websocket(built: &mut RequestHeader, sent: &HeaderMap) -> pingora::Result<()> {
    built.insert_header(header::CONNECTION, "upgrade")?;
    built.insert_header(header::UPGRADE, "websocket")?;
    for name in [
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::SEC_WEBSOCKET_PROTOCOL,
        header::SEC_WEBSOCKET_EXTENSIONS,
    ] {
        for value in sent.get_all(&name) {
            built.append_header(name.clone(), value.clone())?;
        }
    }
    Ok(())
}

/// Tells an HTTP/2 backend that trailers will be read. Any other value asks for what only
/// a neighbour can give (RFC 9110 §10.1.4).
pub(super) fn put_te(built: &mut RequestHeader, sent: &HeaderMap) -> pingora::Result<()> {
    let mut values = sent.get_all(header::TE).iter();
    if matches!((values.next(), values.next()), (Some(value), None) if value == "trailers") {
        built.insert_header(header::TE, "trailers")?;
    }
    Ok(())
}

fn put_forwarded(
    built: &mut RequestHeader,
    request: &CanonicalRequest,
    client: &Client,
) -> pingora::Result<()> {
    if let Some(ip) = client.ip {
        built.insert_header("X-Forwarded-For", ip.to_string())?;
    }
    built.insert_header("X-Forwarded-Proto", client.scheme)?;
    built.insert_header("X-Forwarded-Host", request.authority())?;
    built.insert_header(X_REQUEST_ID, client.request_id.as_str())
}

pub(super) fn put_identity(
    built: &mut RequestHeader,
    permit: &Permit,
    identity: &[(HeaderName, Template)],
) -> pingora::Result<()> {
    for (name, template) in identity {
        if let Some(text) = template.render(&|field| value_of(permit, field)) {
            let value = HeaderValue::from_bytes(text.as_bytes())
                .or_err_with(ErrorType::InternalError, || {
                    format!("identity header {name} cannot be sent")
                })?;
            built.insert_header(name.clone(), value)?;
        }
    }
    Ok(())
}

pub(super) fn value_of(permit: &Permit, field: Field) -> Option<Cow<'_, str>> {
    let principal = permit.subject().map(|subject| &*subject.principal);
    let sign_in = permit
        .subject()
        .and_then(|it| it.credential.sign_in.as_ref());
    let (tenant, project) = (permit.tenant(), permit.project());
    match field {
        Field::PrincipalId => principal.map(|p| p.id.to_string().into()),
        Field::PrincipalEmail => principal?.email.as_deref().map(Cow::Borrowed),
        Field::PrincipalName => principal.map(|p| Cow::Borrowed(p.name.as_str())),
        Field::PrincipalLabel => principal.map(|p| Cow::Borrowed(p.label())),
        Field::PrincipalType => principal.map(|p| Cow::Borrowed(p.kind.as_str())),
        Field::TenantId => tenant.map(|t| t.id.to_string().into()),
        Field::TenantSlug => tenant.map(|t| Cow::Borrowed(t.slug.as_str())),
        Field::ProjectId => project.map(|p| p.id.to_string().into()),
        Field::ProjectSlug => project.map(|p| Cow::Borrowed(p.slug.as_str())),
        Field::SessionAcr => Some(sign_in?.assurance().as_str().into()),
        Field::SessionAmr => Some(sign_in?.amr().into()),
        Field::Roles => principal.map(|_| role_names(permit).into()),
    }
}

/// Names of the roles that count, each once, separated by commas.
fn role_names(permit: &Permit) -> String {
    let mut names: Vec<&str> = Vec::new();
    for grant in permit.roles() {
        if !names.contains(&grant.role.name.as_str()) {
            names.push(&grant.role.name);
        }
    }
    names.join(",")
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allow_list_is_sorted_for_the_search() {
        assert!(PASSED.is_sorted());
    }

    #[test]
    fn nothing_that_decides_is_on_the_allow_list() {
        for name in [
            "authorization",
            "host",
            "connection",
            "upgrade",
            "te",
            "trailer",
            "cookie",
        ] {
            assert!(PASSED.binary_search(&name).is_err(), "{name}");
        }
        assert!(!PASSED.iter().any(|name| name.starts_with("x-forwarded")));
        assert!(!PASSED.iter().any(|name| name.starts_with("x-portcullis")));
    }

    #[test]
    fn only_the_gateways_own_origin_is_rewritten() {
        let same = |origin: &'static str| {
            is_same_origin(&HeaderValue::from_static(origin), "gw.example:8080")
        };
        assert!(same("http://gw.example:8080"));
        assert!(same("https://GW.example:8080"));
        assert!(!same("http://gw.example"));
        assert!(!same("http://evil.example:8080"));
        assert!(!same("null"));
    }
}
