//! The gateway as Pingora calls it: from the request's header to its audit event.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};

use super::answer::Answer;
use super::asking::Lineage;
use super::assertion::Assertions;
use super::backend_answer::is_interim;
use super::capture::PageTokens;
use super::control_plane::ControlPlane;
use super::exchange::{Exchange, InFlight};
use super::front::Connection;
use super::rescue::Failure;
use super::rules::LiveRules;
use crate::audit::Spool;
use crate::authn::Authenticator;
use crate::cache::RoleTables;
use crate::clock::Clock;
use crate::domain::EventId;
use crate::policy::{Decision, Denial, Facts};
use crate::rate::RateLimiter;
use crate::telemetry::Metrics;

/// The gateway: one for all connections; clones are the same one.
#[derive(Clone)]
pub struct Gateway(Arc<Core>);

/// What a gateway is made of.
pub struct Core {
    /// The rules in force.
    pub rules: LiveRules,
    /// Who presents what.
    pub authenticator: Authenticator,
    /// Who may do what.
    pub tables: Arc<RoleTables>,
    /// Whose objects of backends are.
    pub lineage: Lineage,
    /// The signed word for who asks.
    pub assertions: Assertions,
    /// What names further pages of lists.
    pub page_tokens: PageTokens,
    /// Where the gateway's own requests go.
    pub control_plane: ControlPlane,
    /// Who asks too often.
    pub limiter: Arc<RateLimiter>,
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
    /// A gateway of these parts.
    #[must_use]
    pub fn new(core: Core) -> Self {
        Self(Arc::new(core))
    }

    /// What is known of a request before a byte of it was read.
    pub(super) fn new_exchange(&self, connection: Option<Arc<Connection>>) -> Exchange {
        let now = self.clock.now();
        let id = EventId::generate(now, &mut rand::rng());
        let (clock, rules) = (self.clock.clone(), self.rules.load_full());
        Exchange::new(id, clock, now, &self.in_flight, rules, connection)
    }
}

impl Deref for Gateway {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.0
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        self.new_exchange(Connection::begin_exchange())
    }

    /// No modules: what the backend sends is what the client gets.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    fn init_upstream_modules(&self, _: &mut HttpModules) {}

    async fn request_filter(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<bool> {
        Self::identify(session, exchange);
        let Ok(slot) = self.spool.reserve() else {
            let denial = Denial::audit_full();
            self.refuse(session, exchange, denial, Facts::default())
                .await?;
            return Ok(true);
        };
        exchange.slot = Some(slot);
        let connection = exchange.connection.as_ref();
        if let Some(port) = connection.and_then(|connection| connection.redirect) {
            self.redirect(session, exchange, port).await?;
            return Ok(true);
        }
        if Self::is_asked(session, exchange) {
            self.answer_question(session, exchange).await?;
            return Ok(true);
        }
        let decision = self.admit(session, exchange).await?;
        let spent = self.clock.instant().duration_since(exchange.arrived);
        let seconds = &self.metrics.requests.decision_seconds;
        seconds.observe(spent.as_secs_f64());
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
        self.next_peer(exchange)
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        peer: &HttpPeer,
        exchange: &mut Exchange,
        mut error: Box<Error>,
    ) -> Box<Error> {
        Self::not_connected(exchange, peer, &mut error);
        error
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        exchange: &mut Exchange,
        reused: bool,
    ) -> Box<Error> {
        let mut error = error.more_context(format!("Peer: {peer}"));
        self.not_answered(session, exchange, peer, &mut error, reused);
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream_request_header: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        // TLS without an agreement on HTTP/2 becomes HTTP/1, which nobody asked for.
        let http2 = exchange.upstream.as_ref().is_some_and(|it| it.http2);
        if http2 && upstream_request_header.version != Version::HTTP_2 {
            let problem = Error::explain(ErrorType::H2Error, "the backend speaks no HTTP/2");
            return Err(problem.into_up());
        }
        *upstream_request_header = self.upstream_head(session, exchange)?;
        Ok(())
    }

    /// The one place that tells whether a body follows, whatever the backend speaks.
    async fn adjust_upstream_modules(
        &self,
        _: &mut Session,
        _: &ResponseHeader,
        end_of_stream: bool,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        exchange.ends_with_head = end_of_stream;
        Ok(())
    }

    /// A body without an announced length is counted as it comes.
    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        exchange.body_came(end_of_stream);
        exchange.count_body(body.as_ref().map_or(0, Bytes::len))
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        if response.status.is_success() {
            self.forget(exchange).await?;
        }
        self.pass_head(session, response, exchange)
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        exchange: &mut Exchange,
    ) -> pingora::Result<Option<Duration>> {
        let length = body.as_ref().map_or(0, Bytes::len);
        self.pass_body(length, end_of_stream, exchange);
        Ok(None)
    }

    async fn response_trailer_filter(
        &self,
        _: &mut Session,
        trailers: &mut HeaderMap,
        exchange: &mut Exchange,
    ) -> pingora::Result<Option<Bytes>> {
        self.pass_trailers(trailers, exchange);
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Exchange,
    ) -> FailToProxy {
        let failure = exchange.failure_of(error);
        exchange.failure = Some(failure);
        let mut error_code = 0;
        let written = session.response_written();
        let written = written.filter(|head| !is_interim(head.status));
        if let (None, Some((status, message))) = (written, failure.answer()) {
            let dialect = exchange.dialect();
            let request_id = exchange.request_id();
            let mut answer = Answer::new(status, dialect, failure.code(), message, request_id);
            if let Failure::UpstreamUnavailable { retry_after } = failure {
                answer.retry_after = Some(retry_after);
            }
            let answer = exchange.worded(answer, session.req_header());
            exchange.status = Some(status);
            error_code = status.as_u16();
            self.record(exchange);
            // It closes, and its last answer says so.
            session.set_keepalive(None);
            if let Err(error) = answer.write(session, &exchange.rate).await {
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
            exchange.failure = Some(exchange.failure_of(error));
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
