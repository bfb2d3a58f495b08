//! The stages of a request, in order.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use ipnet::IpNet;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::v1::server::HttpSession;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};

use super::answer::Answer;
use super::client::{Client, X_REQUEST_ID};
pub use super::exchange::InFlight;
use super::exchange::{Exchange, Outcome};
use super::headers::upstream_request;
use super::record;
use super::rescue::Failure;
use super::target;
use super::upstream::Upstreams;
use crate::audit::{Spool, SpoolFull};
use crate::authn::Authenticator;
use crate::cache::RoleTables;
use crate::clock::Clock;
use crate::domain::EventId;
use crate::policy::{
    CanonicalRequest, Decision, Denial, DenialReason, Dialect, Facts, Lookup, PathRef, Permit,
    Question, RawRequest, RouteMap, decide,
};
use crate::telemetry::{Metrics, NO_ROUTE, RouteCounters};

/// How long the rest of a refused request's body is read, so that its sender gets
/// to read the answer.
const DRAIN: Duration = Duration::from_secs(2);

/// Addresses of an upstream tried for one request.
const MAX_CONNECT_ATTEMPTS: u8 = 3;

/// The routes and all that is compiled with them; swapped whole.
pub struct Rules {
    routes: RouteMap,
    dialect: Dialect,
    trusted_proxies: Vec<IpNet>,
    /// By index of the route; the last counts requests without a route.
    counters: Vec<Arc<RouteCounters>>,
}

impl Rules {
    /// The rules of a route map.
    #[must_use]
    pub fn new(
        routes: RouteMap,
        dialect: Dialect,
        trusted_proxies: Vec<IpNet>,
        metrics: &Metrics,
    ) -> Self {
        let labels = routes.routes().iter().map(|route| &*route.label);
        let counters = labels
            .chain([NO_ROUTE])
            .map(|label| metrics.route(label))
            .collect();
        Self {
            routes,
            dialect,
            trusted_proxies,
            counters,
        }
    }

    fn counters(&self, lookup: &Lookup<'_>) -> Option<&Arc<RouteCounters>> {
        match lookup {
            Lookup::Found { index, .. } => self.counters.get(*index),
            _ => self.counters.last(),
        }
    }
}

/// The gateway: one for all connections.
pub struct Gateway {
    /// The rules in force.
    pub rules: ArcSwap<Rules>,
    /// The backends.
    pub upstreams: Arc<Upstreams>,
    /// Who presents what.
    pub authenticator: Authenticator,
    /// Who may do what.
    pub tables: Arc<RoleTables>,
    /// Where audit events go.
    pub spool: Spool,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Clock,
    /// Requests being served.
    pub in_flight: InFlight,
}

impl Gateway {
    /// From the header to the verdict.
    async fn consider(&self, session: &Session, exchange: &mut Exchange) -> Decision {
        let rules = self.rules.load();
        let sent = session.req_header();
        let head = session.as_downstream().as_http1();
        let head = head.map(HttpSession::get_headers_raw_bytes);
        let request = match CanonicalRequest::parse(&RawRequest {
            method: &sent.method,
            target: head.as_deref().map_or(sent.raw_path(), target::as_sent),
            version: sent.version,
            headers: &sent.headers,
        }) {
            Ok(request) => request,
            Err(malformed) => return Decision::Denied(malformed.into(), Facts::default()),
        };
        let ip = exchange.client.as_ref().and_then(|client| client.ip);
        let authentication = self
            .authenticator
            .authenticate(request.credential(), ip)
            .await;
        let segments = request.path().segments();
        let path = PathRef {
            segments: &segments,
            trailing_slash: request.path().trailing_slash(),
        };
        let lookup = rules.routes.find(request.method(), request.host(), &path);
        exchange.counters = rules.counters(&lookup).cloned();
        let decision = decide(&Question {
            request: &request,
            path,
            headers: &sent.headers,
            lookup,
            authentication: &authentication,
            table: &self.tables.current(),
        });
        drop(segments);
        exchange.request = Some(request);
        decision
    }

    fn identify(&self, session: &Session, exchange: &mut Exchange) {
        let sent = session.req_header();
        let peer = session.client_addr().and_then(|addr| addr.as_inet());
        let digest = session.digest();
        exchange.method = Some(sent.method.clone());
        exchange.user_agent = sent
            .headers
            .get(header::USER_AGENT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        exchange.client = Some(Client::identify(
            peer.map(|addr| addr.ip().to_canonical()),
            digest.is_some_and(|digest| digest.ssl_digest.is_some()),
            &sent.headers,
            &self.rules.load().trusted_proxies,
            || exchange.event_id.0,
        ));
    }

    /// A permitted request goes to its upstream, or is answered here if its route says
    /// so. Returns whether it was answered.
    async fn permit(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        permit: Permit,
    ) -> pingora::Result<bool> {
        let respond = permit.route().respond.clone();
        exchange.upstream = self.upstreams.find(&permit.route().upstream).cloned();
        exchange.outcome = Outcome::Permitted(Box::new(permit));
        if let Some(fixed) = respond {
            exchange.status = Some(fixed.status);
            self.record(exchange);
            Answer::fixed(&fixed, exchange.request_id())
                .write(session)
                .await?;
            drain(session).await;
            return Ok(true);
        }
        if intend(exchange).is_ok() {
            return Ok(false);
        }
        let facts = exchange.take_facts();
        self.refuse(session, exchange, Denial::audit_full(), facts)
            .await?;
        Ok(true)
    }

    async fn refuse(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        denial: Denial,
        facts: Facts,
    ) -> pingora::Result<()> {
        let default = self.rules.load().dialect;
        let dialect = facts.route.as_ref().map_or(default, |route| route.dialect);
        let answer = Answer::of_denial(&denial, dialect, exchange.request_id());
        let malformed = matches!(denial.reason(), DenialReason::Malformed(_));
        exchange.status = Some(answer.status());
        exchange.outcome = Outcome::Denied(denial, Box::new(facts));
        self.record(exchange);
        if malformed {
            session.set_keepalive(None);
        }
        answer.write(session).await?;
        if !malformed {
            drain(session).await;
        }
        Ok(())
    }

    /// Writes the audit event, once.
    fn record(&self, exchange: &mut Exchange) {
        if let Some(slot) = exchange.slot.take() {
            // A disk that fails is logged and counted where it failed.
            let _ = slot.commit(&record::event(exchange, self.clock.instant()));
        }
    }

    fn count(exchange: &Exchange) {
        if let Some(counters) = &exchange.counters {
            counters.count(exchange.counted());
        }
    }
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
async fn drain(session: &mut Session) {
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

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        let now = self.clock.now();
        let id = EventId::generate(now, &mut rand::rng());
        Exchange::new(id, self.clock.instant(), now, &self.in_flight)
    }

    /// No modules: what the backend sends is what the client gets.
    fn init_downstream_modules(&self, _: &mut pingora::modules::http::HttpModules) {}

    async fn request_filter(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<bool> {
        self.identify(session, exchange);
        let Ok(slot) = self.spool.reserve() else {
            let denial = Denial::audit_full();
            self.refuse(session, exchange, denial, Facts::default())
                .await?;
            return Ok(true);
        };
        exchange.slot = Some(slot);
        let decision = self.consider(session, exchange).await;
        let spent = self.clock.instant().duration_since(exchange.arrived);
        self.metrics.decision_seconds.observe(spent.as_secs_f64());
        match decision {
            Decision::Permitted(permit) => self.permit(session, exchange, permit).await,
            Decision::Denied(denial, facts) => {
                self.refuse(session, exchange, denial, facts).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<Box<HttpPeer>> {
        let (Outcome::Permitted(permit), Some(upstream)) = (&exchange.outcome, &exchange.upstream)
        else {
            return Error::e_explain(ErrorType::InternalError, "no permit");
        };
        exchange.sent_upstream = Some(self.clock.instant());
        upstream.peer(&permit.route().timeouts)
    }

    /// Nothing was sent yet: another address may be tried, where there is one.
    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        exchange: &mut Exchange,
        mut error: Box<Error>,
    ) -> Box<Error> {
        exchange.connect_attempts += 1;
        let upstream = exchange.upstream.as_ref();
        let others = upstream.is_some_and(|upstream| upstream.has_several_addresses());
        error.set_retry(others && exchange.connect_attempts < MAX_CONNECT_ATTEMPTS);
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream_request_header: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let (Outcome::Permitted(permit), Some(upstream), Some(request), Some(client)) = (
            &exchange.outcome,
            &exchange.upstream,
            &exchange.request,
            &exchange.client,
        ) else {
            return Error::e_explain(ErrorType::InternalError, "no permit");
        };
        let sent = &session.req_header().headers;
        *upstream_request_header = upstream_request(permit, request, sent, client, upstream)?;
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let status = response.status;
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(());
        }
        exchange.status = Some(status);
        if let Some(sent) = exchange.sent_upstream {
            let spent = self.clock.instant().duration_since(sent);
            self.metrics.upstream_seconds.observe(spent.as_secs_f64());
        }
        response.insert_header(X_REQUEST_ID, exchange.request_id())?;
        exchange.body_left = content_length(response);
        if has_no_body(&session.req_header().method, response) {
            self.record(exchange);
        }
        Ok(())
    }

    /// The event is in the spool before the answer's last byte leaves.
    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        exchange: &mut Exchange,
    ) -> pingora::Result<Option<Duration>> {
        let length = body.as_ref().map_or(0, Bytes::len) as u64;
        let left = exchange.body_left.as_mut();
        let complete = left.is_some_and(|left| {
            *left = left.saturating_sub(length);
            *left == 0
        });
        if complete || end_of_stream {
            self.record(exchange);
        }
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Exchange,
    ) -> FailToProxy {
        let failure = Failure::of(error);
        exchange.failure = Some(failure);
        let mut error_code = 0;
        if let (None, Some((status, message))) = (session.response_written(), failure.answer()) {
            let dialect = exchange.dialect(self.rules.load().dialect);
            let request_id = exchange.request_id();
            let answer = Answer::new(status, dialect, failure.code(), message, request_id);
            exchange.status = Some(status);
            error_code = status.as_u16();
            self.record(exchange);
            // It closes, and its last answer says so.
            session.set_keepalive(None);
            if let Err(error) = answer.write(session).await {
                tracing::debug!(%error, "the client did not take the error");
            }
        }
        FailToProxy {
            error_code,
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, _: &mut Session, error: Option<&Error>, exchange: &mut Exchange) {
        if let (Some(error), None) = (error, exchange.failure) {
            exchange.failure = Some(Failure::of(error));
        }
        self.record(exchange);
        Self::count(exchange);
    }

    /// Never the query: it may hold what does not belong in a log.
    fn request_summary(&self, session: &Session, exchange: &Exchange) -> String {
        let request = exchange.request.as_ref();
        format!(
            "{} {} request_id={}",
            session.req_header().method,
            request.map_or("?", |request| request.path().encoded()),
            exchange.request_id()
        )
    }
}

fn content_length(response: &ResponseHeader) -> Option<u64> {
    let value = response.headers.get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// RFC 9110 §6.4.1, and an upgrade, after which there is no more HTTP.
fn has_no_body(method: &Method, response: &ResponseHeader) -> bool {
    method == Method::HEAD
        || matches!(
            response.status,
            StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        )
        || content_length(response) == Some(0)
}
