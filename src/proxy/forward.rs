//! The request that goes upstream: rebuilt from the permit, with what the route writes into it
//! and with the body that was read.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Version, header};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::consider::Learnt;
use super::control_plane::put_caller;
use super::exchange::{Exchange, Outcome};
use super::gateway::Gateway;
use super::headers::{put_te, upstream_request, value_of};
use super::upstream::Upstream;
use crate::policy::namespace::{Home, write_names};
use crate::policy::{Denial, Permit, write_set};

/// What goes upstream besides what the client sent.
#[derive(Default)]
pub(super) struct Forwarded {
    /// Fields that the route sets.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, where it was read.
    pub(super) body: Option<Bytes>,
}

impl Exchange {
    /// Writes into the request what its route says, now that it is permitted.
    pub(super) fn complete(&mut self) -> Result<(), Denial> {
        let (Outcome::Permitted(permit), Some(request)) = (&self.outcome, &mut self.request) else {
            return Err(Denial::internal());
        };
        let objects = &permit.route().objects;
        let home = home(permit, &self.learnt);
        let body = self.learnt.body.as_mut();
        let names = &self.learnt.names;
        let tests = write_names(permit.route(), names, home.as_ref(), request, body)?;
        self.learnt.names.tests = tests;
        let body = self.learnt.body.as_mut();
        let headers = write_set(objects, request, body, &|field| value_of(permit, field))?;
        let body = self
            .learnt
            .body
            .as_ref()
            .map(crate::policy::Body::forwarded);
        self.forwarded = Forwarded { headers, body };
        Ok(())
    }
}

/// The project whose names count: that of the decision, else the caller's only one.
fn home(permit: &Permit, learnt: &Learnt) -> Option<Home> {
    let decided = permit.tenant().zip(permit.project());
    let decided = decided.map(|(tenant, project)| Home {
        tenant: tenant.clone(),
        project: project.clone(),
    });
    decided.or_else(|| learnt.names.home.clone())
}

impl Exchange {
    /// The project whose names count in the answer.
    pub(super) fn home(&self) -> Option<Home> {
        match &self.outcome {
            Outcome::Permitted(permit) => home(permit, &self.learnt),
            _ => None,
        }
    }
}

impl Gateway {
    /// The head that goes upstream.
    pub(super) fn upstream_head(
        &self,
        session: &Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<RequestHeader> {
        let mut built = self.rebuilt(session, exchange)?;
        if let Outcome::Permitted(permit) = &exchange.outcome
            && self.control_plane.named(&permit.route().upstream).is_some()
        {
            let sent = &session.req_header().headers;
            put_caller(&mut built, permit, exchange, sent)?;
        }
        Ok(built)
    }

    fn rebuilt(
        &self,
        session: &Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<RequestHeader> {
        let (Outcome::Permitted(permit), Some(upstream), Some(request), Some(client)) = (
            &exchange.outcome,
            &exchange.upstream,
            &exchange.request,
            &exchange.client,
        ) else {
            return Error::e_explain(ErrorType::InternalError, "no permit");
        };
        let sent = session.req_header();
        let mut built = upstream_request(permit, request, &sent.headers, client, upstream)?;
        for (name, value) in &exchange.forwarded.headers {
            built.insert_header(name.clone(), value.clone())?;
        }
        if let Some(body) = &exchange.forwarded.body {
            put_length(&mut built, body.len(), upstream)?;
        }
        if upstream.http2 {
            built.set_version(Version::HTTP_2);
            if sent.version == Version::HTTP_2 {
                put_te(&mut built, &sent.headers)?;
            }
        }
        self.assertions.put(&mut built, permit, upstream)?;
        exchange.upgrading = built.headers.contains_key(header::UPGRADE);
        Ok(built)
    }
}

/// The length of what is sent, which need not be that of what came. Its sender was told to
/// go on; over HTTP/2 a length that nobody announced is told by the end.
fn put_length(
    built: &mut RequestHeader,
    length: usize,
    upstream: &Upstream,
) -> pingora::Result<()> {
    built.remove_header(&header::EXPECT);
    let announced = built.remove_header(&header::CONTENT_LENGTH).is_some();
    if announced || (length > 0 && !upstream.http2) {
        built.insert_header(header::CONTENT_LENGTH, length.to_string())?;
    }
    Ok(())
}
