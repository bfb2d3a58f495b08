//! What is known of one request: Pingora's CTX.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use http::{Method, StatusCode};
use pingora::http::RequestHeader;
use pingora::{Error, ErrorType};
use prometheus::IntGauge;

use super::answer::Answer;
use super::asked::Asked;
use super::attempt::Attempts;
use super::capture::Wanted;
use super::client::Client;
use super::consider::Learnt;
use super::crowd::{Crowd, Place};
use super::forward::Forwarded;
use super::front::{BodyWatch, Connection};
use super::navigation::{is_script, wants_page};
use super::rate::RateState;
use super::record;
use super::rescue::Failure;
use super::rules::Rules;
use super::upstream::Upstream;
use crate::audit::Slot;
use crate::clock::Clock;
use crate::domain::{EventId, ResourceKey};
use crate::policy::{CanonicalRequest, Denial, Dialect, Facts, Permit, Route};
use crate::telemetry::{self, RequestMetrics, RouteCounters};

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
    /// What was learnt of it before that.
    pub(super) learnt: Box<Learnt>,
    /// What goes upstream besides what was sent.
    pub(super) forwarded: Forwarded,
    /// The page that is asked for, on a route with pages.
    pub(super) wanted: Option<Wanted>,
    /// Objects that the backend has made.
    pub(super) made: Vec<ResourceKey>,
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
    /// Why our own control plane has not carried it out.
    pub(super) refused: Option<String>,
    /// What the rate limits say.
    pub(super) rate: RateState,
    pub(super) connection: Option<Arc<Connection>>,
    /// Of a request that another proxy forwards.
    pub(super) asked: Option<Asked>,
    /// Of a request over HTTP/2: its body is waited for so long and no longer.
    body_watch: Option<Arc<BodyWatch>>,
    /// Whether the backend was asked to switch protocols.
    pub(super) upgrading: bool,
    /// Bytes that the client may still send.
    body_allowed: u64,
    in_flight: Option<Counted>,
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
            learnt: Box::default(),
            forwarded: Forwarded::default(),
            wanted: None,
            made: Vec::new(),
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
            refused: None,
            rate: RateState::default(),
            connection,
            asked: None,
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

    /// The route, once one was found.
    pub(super) fn route(&self) -> Option<Arc<Route>> {
        self.facts()?.route.clone()
    }

    /// Whether the answer makes or removes objects.
    pub(super) fn changes_objects(&self) -> bool {
        let makes = self
            .route()
            .is_some_and(|it| !it.objects.creates.is_empty());
        makes || !self.learnt.doomed.is_empty()
    }

    /// Whether items are taken out of the answer.
    pub(super) fn filters(&self) -> bool {
        self.route()
            .is_some_and(|it| !it.objects.filters.is_empty())
    }

    /// Whether the answer's body is another than the backend's.
    pub(super) fn rewrites_answer(&self) -> bool {
        let named = |route: Arc<Route>| route.objects.names.change_answers();
        self.filters() || self.route().is_some_and(named)
    }

    /// Takes back what was found out, to decide otherwise.
    pub(super) fn take_facts(&mut self) -> Facts {
        match std::mem::replace(&mut self.outcome, Outcome::Open) {
            Outcome::Open | Outcome::Redirected => Facts::default(),
            Outcome::Permitted(permit) => permit.into_facts(),
            Outcome::Denied(_, facts) => *facts,
        }
    }

    /// Counts it among those of its address; false if that has as many as it may.
    pub(super) fn find_place(&mut self, all: &InFlight, address: IpAddr, limit: usize) -> bool {
        let place = all.by_address.admit(address, limit);
        let found = place.is_some();
        if let Some(counted) = &mut self.in_flight {
            counted.place = place;
        }
        found
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

    /// The backend switched protocols: from here on bytes pass as they are, in any number,
    /// and for any time: it takes no place from requests, though its connection's from
    /// connections.
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
        if let Some(place) = &mut self.in_flight {
            place.become_websocket();
        }
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

    /// A refusal as whoever sent the request can read it.
    pub(super) fn worded(&self, answer: Answer, sent: &RequestHeader) -> Answer {
        if self.rules.sign_in && is_script(&sent.headers) {
            return answer.for_script();
        }
        if !wants_page(self, &sent.method, &sent.headers) {
            return answer;
        }
        answer.for_person(self.facts().is_some_and(Facts::has_session))
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

/// Counts the requests that are being served, and apart from them those that became a
/// `WebSocket`, which may last for days. The metrics themselves are the counts: they cannot
/// lag behind.
#[derive(Debug, Clone)]
pub struct InFlight {
    gauges: Arc<Gauges>,
    by_address: Crowd,
}

#[derive(Debug)]
struct Gauges {
    requests: IntGauge,
    websockets: IntGauge,
}

impl InFlight {
    /// Counts in these metrics.
    #[must_use]
    pub fn new(metrics: &RequestMetrics) -> Self {
        Self {
            gauges: Arc::new(Gauges {
                requests: metrics.in_flight.clone(),
                websockets: metrics.websockets.clone(),
            }),
            by_address: Crowd::default(),
        }
    }

    /// How many requests there are.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.gauges.requests.get()
    }

    /// All that a graceful stop waits for.
    #[must_use]
    pub fn with_websockets(&self) -> i64 {
        // In this order: what changes in between is counted twice rather than not at all.
        let requests = self.gauges.requests.get();
        requests + self.gauges.websockets.get()
    }

    fn enter(&self) -> Counted {
        self.gauges.requests.inc();
        Counted {
            gauges: Arc::clone(&self.gauges),
            is_websocket: false,
            place: None,
        }
    }
}

/// A request's place among the others, until it is dropped.
struct Counted {
    gauges: Arc<Gauges>,
    is_websocket: bool,
    /// Among those of its address.
    place: Option<Place>,
}

impl Counted {
    fn become_websocket(&mut self) {
        if !self.is_websocket {
            self.is_websocket = true;
            self.place = None;
            // Before it leaves its place: whoever looks finds it in one of them.
            self.gauges.websockets.inc();
            self.gauges.requests.dec();
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.is_websocket {
            self.gauges.websockets.dec();
        } else {
            self.gauges.requests.dec();
        }
    }
}
