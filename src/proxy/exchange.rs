//! What is known of one request: Pingora's CTX.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use http::{Method, StatusCode};
use pingora::{Error, ErrorType};
use prometheus::IntGauge;

use super::attempt::Attempts;
use super::client::Client;
use super::front::{BodyWatch, Connection};
use super::rate::RateState;
use super::record;
use super::rescue::Failure;
use super::rules::Rules;
use super::upstream::Upstream;
use crate::audit::Slot;
use crate::clock::Clock;
use crate::domain::EventId;
use crate::policy::{CanonicalRequest, Denial, Dialect, Facts, Permit};
use crate::telemetry::{self, RouteCounters};

/// Interim answers (100, 103 and the like) before the answer.
const MAX_INTERIM: u8 = 32;

/// One request, from its header to its audit event.
pub struct Exchange {
    /// Those in force when it arrived: it ends under them.
    pub(super) rules: Arc<Rules>,
    pub(super) event_id: EventId,
    pub(super) arrived: Instant,
    clock: Clock,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) method: Option<Method>,
    pub(super) user_agent: Option<String>,
    pub(super) client: Option<Client>,
    pub(super) request: Option<CanonicalRequest>,
    pub(super) outcome: Outcome,
    pub(super) upstream: Option<Arc<Upstream>>,
    pub(super) sent_upstream: Option<Instant>,
    pub(super) attempts: Attempts,
    /// Room in the audit spool, until the event takes it.
    pub(super) slot: Option<Slot>,
    pub(super) counters: Option<Arc<RouteCounters>>,
    pub(super) status: Option<StatusCode>,
    /// Bytes of the answer's body still to come, where its length is known.
    pub(super) body_left: Option<u64>,
    /// Interim answers so far.
    interim: u8,
    /// Whether the head of the answer is all of it.
    pub(super) ends_with_head: bool,
    /// What a gRPC call came to at the backend.
    pub(super) grpc_status: Option<u16>,
    pub(super) failure: Option<Failure>,
    /// What the rate limits say.
    pub(super) rate: RateState,
    pub(super) connection: Option<Arc<Connection>>,
    /// Of a request over HTTP/2: its body is waited for so long and no longer.
    body_watch: Option<Arc<BodyWatch>>,
    /// Whether the backend was asked to switch protocols.
    pub(super) upgrading: bool,
    /// Bytes that the client may still send.
    body_allowed: u64,
    in_flight: Option<InFlightGuard>,
}

/// Where the request stands.
pub(super) enum Outcome {
    /// Nothing is decided yet.
    Open,
    /// It may go on.
    Permitted(Box<Permit>),
    /// It was sent elsewhere, undecided.
    Redirected,
    /// It was refused.
    Denied(Denial, Box<Facts>),
}

impl Exchange {
    pub(super) fn new(
        event_id: EventId,
        clock: Clock,
        occurred_at: DateTime<Utc>,
        in_flight: &InFlight,
        rules: Arc<Rules>,
        connection: Option<Arc<Connection>>,
    ) -> Self {
        Self {
            rules,
            event_id,
            arrived: clock.instant(),
            clock,
            occurred_at,
            method: None,
            user_agent: None,
            client: None,
            request: None,
            outcome: Outcome::Open,
            upstream: None,
            sent_upstream: None,
            attempts: Attempts::default(),
            slot: None,
            counters: None,
            status: None,
            body_left: None,
            interim: 0,
            ends_with_head: false,
            grpc_status: None,
            failure: None,
            rate: RateState::default(),
            connection,
            body_watch: BodyWatch::current(),
            upgrading: false,
            body_allowed: u64::MAX,
            in_flight: Some(in_flight.enter()),
        }
    }

    /// What was found out so far.
    pub(super) fn facts(&self) -> Option<&Facts> {
        match &self.outcome {
            Outcome::Open | Outcome::Redirected => None,
            Outcome::Permitted(permit) => Some(permit.facts()),
            Outcome::Denied(_, facts) => Some(facts),
        }
    }

    /// Takes back what was found out, to decide otherwise.
    pub(super) fn take_facts(&mut self) -> Facts {
        match std::mem::replace(&mut self.outcome, Outcome::Open) {
            Outcome::Open | Outcome::Redirected => Facts::default(),
            Outcome::Permitted(permit) => permit.into_facts(),
            Outcome::Denied(_, facts) => *facts,
        }
    }

    /// It is answered: what is left of its body takes no place from others.
    pub(super) fn leave(&mut self) {
        self.in_flight = None;
    }

    /// Bounds the body that is still to come.
    pub(super) const fn allow_body(&mut self, bytes: u64) {
        self.body_allowed = bytes;
    }

    /// A body is about to be read.
    pub(super) fn await_body(&self) {
        if let Some(watch) = &self.body_watch {
            watch.await_more();
        }
    }

    /// Something of the body has come, or its end.
    pub(super) fn body_came(&self, is_end: bool) {
        match &self.body_watch {
            Some(watch) if is_end => watch.complete(),
            Some(watch) => watch.await_more(),
            None => {}
        }
    }

    /// Counts bytes of the body.
    pub(super) fn count_body(&mut self, bytes: usize) -> pingora::Result<()> {
        if let Some(left) = self.body_allowed.checked_sub(bytes as u64) {
            self.body_allowed = left;
            return Ok(());
        }
        self.failure = Some(Failure::BodyTooLarge);
        Err(Error::explain(ErrorType::HTTPStatus(413), "the body is too large").into_down())
    }

    /// The backend switched protocols: from here on bytes pass as they are, in any number.
    ///
    /// # Errors
    ///
    /// If it was not asked to.
    pub(super) fn switch_protocols(&mut self) -> pingora::Result<()> {
        let connection = self.connection.as_ref().filter(|_| self.upgrading);
        let Some(connection) = connection else {
            let error = Error::explain(ErrorType::InvalidHTTPHeader, "101 without being asked");
            return Err(error.into_up());
        };
        connection.open_tunnel();
        self.body_allowed = u64::MAX;
        Ok(())
    }

    /// Counts an interim answer: each of them begins the wait for the answer anew.
    pub(super) fn count_interim(&mut self) -> pingora::Result<()> {
        self.interim += 1;
        if self.interim < MAX_INTERIM {
            return Ok(());
        }
        let error = Error::explain(ErrorType::InvalidHTTPHeader, "too many interim answers");
        Err(error.into_up())
    }

    /// What went wrong; a cause that is known already is not guessed from the error.
    pub(super) fn failure_of(&self, error: &Error) -> Failure {
        let malformed = self.connection.as_ref().is_some_and(|it| it.is_malformed());
        match self.failure {
            Some(failure) => failure,
            None if malformed => Failure::ClientBody,
            None => Failure::of(error),
        }
    }

    /// How the route wants a refusal worded.
    pub(super) fn dialect(&self) -> Dialect {
        let route = self.facts().and_then(|facts| facts.route.as_ref());
        route.map_or_else(|| self.default_dialect(), |route| route.dialect)
    }

    /// How a refusal is worded where no route says: on paths of the gateway's own, its own way.
    pub(super) fn default_dialect(&self) -> Dialect {
        let request = self.request.as_ref();
        match request.map(|request| request.path().encoded()) {
            Some(path) if path.starts_with("/.portcullis/") => Dialect::Problem,
            _ => self.rules.dialect,
        }
    }

    /// How it ended, as the metrics count it.
    pub(super) fn counted(&self) -> telemetry::Outcome {
        let answered = self
            .status
            .is_some_and(|status| !status.is_client_error() && !status.is_server_error())
            && matches!(self.grpc_status, None | Some(0));
        match (&self.outcome, self.failure) {
            (Outcome::Denied(..), _) => telemetry::Outcome::Denied,
            (Outcome::Permitted(_) | Outcome::Redirected, None) if answered => {
                telemetry::Outcome::Success
            }
            _ => telemetry::Outcome::Failed,
        }
    }

    pub(super) fn request_id(&self) -> &str {
        self.client
            .as_ref()
            .map_or("", |client| client.request_id.as_str())
    }
}

impl Drop for Exchange {
    /// A panic or a cancelled task leaves its event too.
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let stalled = self.body_watch.as_ref().is_some_and(|it| it.has_stalled());
            let failure = if stalled {
                Failure::Client
            } else {
                Failure::Interrupted
            };
            self.failure.get_or_insert(failure);
            let _ = slot.commit(&record::event(self, self.clock.instant()));
        }
    }
}

/// Counts the requests that are being served, for a graceful stop. The metric itself
/// is the count: it cannot lag behind.
#[derive(Debug, Clone)]
pub struct InFlight(IntGauge);

impl InFlight {
    /// Counts in this gauge.
    #[must_use]
    pub const fn new(gauge: IntGauge) -> Self {
        Self(gauge)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.get()
    }

    fn enter(&self) -> InFlightGuard {
        self.0.inc();
        InFlightGuard(self.0.clone())
    }
}

struct InFlightGuard(IntGauge);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
