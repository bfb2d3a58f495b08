//! What never became a request: its event, its place in the rate limits, its answer.

use std::sync::Arc;

use http::StatusCode;

use super::answer::Answer;
use super::client::Client;
use super::exchange::{Exchange, Outcome};
use super::front::{Abuse, Connection};
use super::gateway::Gateway;
use super::record;
use super::rescue::Failure;
use crate::domain::AuditResult;
use crate::policy::{Denial, Malformed};

/// Name of the event of a connection that was ended from this side.
const ENDED: &str = "connection.ended";

impl Gateway {
    /// Refuses a head over HTTP/1. Returns the answer.
    pub(super) async fn refuse_head(
        &self,
        connection: &Arc<Connection>,
        malformed: Malformed,
    ) -> Vec<u8> {
        let mut exchange = self.of_a_stranger(connection).await;
        let denial = Denial::from(malformed);
        let answer = Answer::of_denial(&denial, exchange.rules.dialect, exchange.request_id());
        self.deny(&mut exchange, denial, Some(answer.status()));
        answer.into_http1(&exchange.rate)
    }

    /// Notes a request over HTTP/2 that the library has answered or reset, without telling
    /// why.
    pub(super) async fn note_malformed(&self, connection: &Arc<Connection>) {
        let mut exchange = self.of_a_stranger(connection).await;
        self.deny(&mut exchange, Malformed::Field.into(), None);
    }

    /// Notes a request over HTTP/2 that the library has reset because there are too many.
    pub(super) async fn note_refused(&self, connection: &Arc<Connection>) {
        let mut exchange = self.of_a_stranger(connection).await;
        self.deny(&mut exchange, Denial::overloaded(), None);
    }

    /// Notes a request over HTTP/2 that is not looked at, for its connection ends.
    pub(super) async fn note_unserved(&self, connection: &Arc<Connection>, failure: Failure) {
        let mut exchange = self.of_a_stranger(connection).await;
        exchange.slot = self.spool.reserve().ok();
        exchange.counters = exchange.rules.uncounted().cloned();
        exchange.failure = Some(failure);
        self.record(&mut exchange);
        Self::count(&exchange);
    }

    /// Notes that a connection was ended for what its client did.
    pub(super) async fn end_for(&self, connection: &Arc<Connection>, abuse: Abuse) {
        let code = abuse.code();
        self.metrics.transport.ended(code).inc();
        tracing::debug!(code, peer = ?connection.peer, "a connection was ended");
        let exchange = self.of_a_stranger(connection).await;
        let Ok(slot) = self.spool.reserve() else {
            return;
        };
        let mut event = record::event(&exchange, self.clock.instant());
        event.event = ENDED.into();
        event.result = AuditResult::Denied;
        event.reason = Some(code.to_owned());
        // There was no request.
        event.request_id = None;
        event.latency = None;
        // A disk that fails is logged and counted where it failed.
        let _ = slot.commit(&event);
    }

    /// Counted for its address, as a request would be; but it is refused in any case. The
    /// address of a trusted proxy is nobody's: what its client is, only a head would tell.
    async fn of_a_stranger(&self, connection: &Arc<Connection>) -> Exchange {
        let mut exchange = self.new_exchange(Some(Arc::clone(connection)));
        exchange.client = Some(Client::unread(connection.peer, exchange.event_id.0));
        let rules = Arc::clone(&exchange.rules);
        if !connection.peer.is_some_and(|peer| rules.trusts(peer)) {
            let _ = self.limit_address(&rules, &mut exchange).await;
        }
        exchange
    }

    fn deny(&self, exchange: &mut Exchange, denial: Denial, status: Option<StatusCode>) {
        let peer = exchange.client.as_ref().and_then(|client| client.ip);
        tracing::debug!(code = denial.code(), ?peer, "no request");
        exchange.slot = self.spool.reserve().ok();
        exchange.counters = exchange.rules.uncounted().cloned();
        exchange.status = status;
        exchange.outcome = Outcome::Denied(denial, Box::default());
        self.record(exchange);
        Self::count(exchange);
    }
}
