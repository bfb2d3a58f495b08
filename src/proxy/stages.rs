//! The stages before a request is forwarded, and what ends one early.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Version, header};
use pingora::protocols::http::v1::server::HttpSession;
use pingora::proxy::Session;

use super::answer::Answer;
use super::asked::Asked;
use super::client::Client;
use super::exchange::{Exchange, Outcome};
use super::gateway::Gateway;
use super::navigation::to_sign_in;
use super::{record, target};
use crate::audit::SpoolFull;
use crate::policy::{
    CanonicalRequest, Decision, Denial, DenialReason, Facts, Malformed, Permit, RawRequest,
    Requirement, has_no_body,
};

/// How long the rest of a refused request's body is read, so that its sender gets
/// to read the answer.
const DRAIN: Duration = Duration::from_secs(2);

impl Gateway {
    /// The verdict, within the bounds that hold for every request.
    pub(super) async fn admit(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<Decision> {
        if let Err(denial) = self.within_bounds(session, exchange) {
            return Ok(Decision::Denied(denial, Facts::default()));
        }
        Ok(match self.consider(session, exchange).await? {
            Decision::Permitted(permit) => {
                // The pages that a session is led to which has rested for too long are no use of
                // it, nor is what everybody gets.
                let is_use = match permit.route().requirement {
                    Requirement::Public { .. } => false,
                    Requirement::Authenticated => {
                        self.control_plane.named(&permit.route().upstream).is_none()
                    }
                    _ => true,
                };
                if let Some(subject) = permit.subject().filter(|_| is_use) {
                    let ip = exchange.client.as_ref().and_then(|client| client.ip);
                    self.authenticator.used(subject, ip);
                }
                let limit = exchange.rules.limits.body;
                let allowed = permit.route().max_body.unwrap_or(limit);
                exchange.allow_body(allowed);
                let announced = content_length(&session.req_header().headers);
                if announced.is_some_and(|length| length > allowed) {
                    Decision::Denied(Denial::body_too_large(), permit.into_facts())
                } else {
                    Decision::Permitted(permit)
                }
            }
            denied @ Decision::Denied(..) => denied,
        })
    }

    /// The bounds that hold whatever is asked for.
    pub(super) fn within_bounds(
        &self,
        session: &Session,
        exchange: &mut Exchange,
    ) -> Result<(), Denial> {
        let limits = exchange.rules.limits;
        if self.in_flight.count() > limits.requests {
            return Err(Denial::overloaded());
        }
        // Trusted proxies bring the requests of many.
        let ip = exchange.client.as_ref().and_then(|client| client.ip);
        if let Some(ip) = ip.filter(|ip| !exchange.rules.trusts(*ip))
            && !exchange.find_place(&self.in_flight, ip, limits.requests_per_address)
        {
            return Err(Denial::overloaded());
        }
        let sent = session.req_header();
        // Over HTTP/1 the front has looked already; HTTP/2 comes by another parser.
        if sent.headers.len() > limits.head.fields {
            Err(Malformed::HeadSize.into())
        } else if sent.raw_path().len() > limits.head.request_line {
            Err(Malformed::RequestLineLength.into())
        } else {
            Ok(())
        }
    }

    /// The request with its one meaning, after it was counted for its address.
    pub(super) async fn understood(
        &self,
        session: &Session,
        exchange: &mut Exchange,
    ) -> Result<CanonicalRequest, Denial> {
        let rules = Arc::clone(&exchange.rules);
        let limited = self.limit_address(&rules, exchange).await;
        // Counted, but told that it is malformed in any case: then it closes.
        let request = match &exchange.asked {
            Some(asked) => described(session, asked)?,
            None => canonical(session)?,
        };
        match limited {
            Ok(()) => Ok(request),
            Err(denial) => {
                exchange.request = Some(request);
                Err(denial)
            }
        }
    }

    pub(super) fn identify(session: &mut Session, exchange: &mut Exchange) {
        let connection = exchange.connection.as_deref();
        let (peer, tls) = connection.map_or((None, false), |it| (it.peer, it.tls));
        // Keeping an HTTP/1.0 connection rests on a header that its proxies pass on unread.
        if session.req_header().version == Version::HTTP_10 {
            session.set_keepalive(None);
            // It knows no interim answers, and does not wait for one (RFC 9110 §10.1.1, §15.2).
            session.set_ignore_info_resp(true);
            session.req_header_mut().remove_header(&header::EXPECT);
        }
        let sent = session.req_header();
        exchange.counters = exchange.rules.uncounted().cloned();
        exchange.method = Some(sent.method.clone());
        exchange.user_agent = sent
            .headers
            .get(header::USER_AGENT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        exchange.client = Some(Client::identify(
            peer,
            tls,
            &sent.headers,
            &exchange.rules.trusted_proxies,
            || exchange.event_id.0,
        ));
    }

    /// A permitted request goes to its upstream, or is answered here if its route says
    /// so. Returns whether it was answered.
    pub(super) async fn permit(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        permit: Permit,
    ) -> pingora::Result<bool> {
        let respond = permit.route().respond.clone();
        let (name, upstreams) = (&permit.route().upstream, &exchange.rules.upstreams);
        let own = self.control_plane.named(name);
        exchange.upstream = own.or_else(|| upstreams.find(name)).cloned();
        exchange.outcome = Outcome::Permitted(Box::new(permit));
        if let Some(fixed) = respond {
            exchange.status = Some(fixed.status);
            self.record(exchange);
            exchange.leave();
            Answer::fixed(&fixed, exchange.request_id())
                .write(session, &exchange.rate)
                .await?;
            drain(session).await;
            return Ok(true);
        }
        if let Err(denial) = self.ready(exchange) {
            let facts = exchange.take_facts();
            self.refuse(session, exchange, denial, facts).await?;
            return Ok(true);
        }
        if exchange.forwarded.body.is_none() && streams_body(session) {
            exchange.await_body();
        }
        if exchange.route().is_some_and(|route| route.captures()) {
            // Apart from what every request needs: they are large.
            Box::pin(self.capture(session, exchange)).await?;
        } else if exchange.forwarded.body.is_some() {
            Box::pin(self.relay(session, exchange)).await?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Completes a permitted request, and leaves its intent.
    fn ready(&self, exchange: &mut Exchange) -> Result<(), Denial> {
        exchange.complete()?;
        exchange.begin_page(&self.page_tokens)?;
        intend(exchange).map_err(|SpoolFull| Denial::audit_full())
    }

    pub(super) async fn refuse(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        denial: Denial,
        facts: Facts,
    ) -> pingora::Result<()> {
        let default = exchange.default_dialect();
        let dialect = facts.route.as_ref().map_or(default, |route| route.dialect);
        let sent = &session.req_header().headers;
        let is_terse = exchange.asked.as_ref().is_some_and(|asked| asked.is_terse);
        let elsewhere = to_sign_in(exchange, sent, &denial, &facts).filter(|_| !is_terse);
        let answer = match elsewhere {
            Some((status, location)) => Answer::elsewhere(status, location, exchange.request_id()),
            None => Answer::of_denial(&denial, dialect, exchange.request_id()),
        };
        let malformed = matches!(denial.reason(), DenialReason::Malformed(_));
        let overloaded = matches!(denial.reason(), DenialReason::Overloaded);
        let answer = if is_terse { answer.terse() } else { answer };
        exchange.status = Some(answer.status());
        exchange.outcome = Outcome::Denied(denial, Box::new(facts));
        let answer = exchange.worded(answer, session.req_header());
        self.record(exchange);
        if malformed {
            session.set_keepalive(None);
        }
        answer.write(session, &exchange.rate).await?;
        if overloaded {
            // To wait for its body is what there is no room for.
            session.set_keepalive(None);
        } else if !malformed {
            exchange.leave();
            drain(session).await;
        }
        Ok(())
    }

    /// Writes the audit event, once.
    pub(super) fn record(&self, exchange: &mut Exchange) {
        if let Some(slot) = exchange.slot.take() {
            // A disk that fails is logged and counted where it failed.
            let _ = slot.commit(&record::event(exchange, self.clock.instant()));
        }
    }

    pub(super) fn count(exchange: &Exchange) {
        if let Some(counters) = &exchange.counters {
            counters.count(exchange.counted());
        }
    }
}

/// The request with its one meaning that another proxy will forward.
fn described(session: &Session, asked: &Asked) -> Result<CanonicalRequest, Malformed> {
    let header = session.req_header();
    let request = CanonicalRequest::parse(&RawRequest {
        method: &header.method,
        target: &asked.target,
        authority: None,
        headers: &header.headers,
    })?;
    asked
        .is_sent(&request)
        .then_some(request)
        .ok_or(Malformed::Target)
}

/// The request with its one meaning.
fn canonical(session: &Session) -> Result<CanonicalRequest, Malformed> {
    let sent = session.req_header();
    let head = session.as_downstream().as_http1();
    let head = head.map(HttpSession::get_headers_raw_bytes);
    if has_no_body(&sent.method) && streams_body(session) {
        return Err(Malformed::UnexpectedBody);
    }
    CanonicalRequest::parse(&RawRequest {
        method: &sent.method,
        target: head.as_deref().map_or(sent.raw_path(), target::as_sent),
        authority: sent
            .uri
            .authority()
            .filter(|_| head.is_none())
            .map(|it| it.as_str().as_bytes()),
        headers: &sent.headers,
    })
}

/// Whether a body is to come over HTTP/2, where it need not be announced.
fn streams_body(session: &Session) -> bool {
    let stream = session.as_downstream().as_http2();
    stream.is_some_and(|stream| !stream.is_body_empty())
}

/// The announced length of a body, if it is a number.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// A request that changes something leaves a trace before it is forwarded: if the
/// gateway is killed before the answer, the next start makes an event of it.
fn intend(exchange: &mut Exchange) -> Result<(), SpoolFull> {
    if exchange.method.as_ref().is_none_or(Method::is_safe) {
        return Ok(());
    }
    let event = record::event(exchange, exchange.arrived);
    let slot = exchange.slot.as_mut();
    slot.map_or(Ok(()), |slot| slot.intend(&event))
}

/// Reads what is left of a refused request's body for a bounded time. What cannot
/// be read to its end must never be parsed as a request: the connection closes.
pub(super) async fn drain(session: &mut Session) {
    if session.is_http2() {
        // The stream is reset, and the connection goes on.
        return;
    }
    if session.req_header().headers.contains_key(header::EXPECT) {
        session.set_keepalive(None);
        return;
    }
    let body = session.as_downstream_mut();
    if !matches!(
        tokio::time::timeout(DRAIN, body.drain_request_body()).await,
        Ok(Ok(()))
    ) {
        session.set_keepalive(None);
    }
}
