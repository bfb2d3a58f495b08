//! The attempts to reach a backend for one request.
//!
//! | what happened | another attempt |
//! |---|---|
//! | no connection to an address | at another address |
//! | a kept connection turned out to be dead | the same, if the request is safe (GET, HEAD, OPTIONS …) and has no body, no head of an answer came, and that within `timeouts.connect` |
//! | anything else | none: it may have been carried out |
//!
//! There are three attempts at most.

use std::net::SocketAddr;
use std::sync::Arc;

use pingora::proxy::Session;
use pingora::upstreams::peer::{HttpPeer, Peer as _};
use pingora::{Error, ErrorSource, ErrorType};
use smallvec::SmallVec;

use super::back::{Dial, Holder};
use super::exchange::{Exchange, Outcome};
use super::gateway::Gateway;
use super::rescue::Failure;
use super::upstream::Upstream;

/// For one request.
const MOST: usize = 3;

/// Those made so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    made: usize,
    /// Where the last one went.
    address: Option<SocketAddr>,
    /// How it came to its connection, over HTTP/1.
    dial: Option<Arc<Dial>>,
    /// Where no connection came about.
    unreachable: SmallVec<[SocketAddr; MOST]>,
    /// Whether the last of these took too long.
    timed_out: bool,
}

impl Gateway {
    /// Where the request goes now.
    pub(super) fn next_peer(&self, exchange: &mut Exchange) -> pingora::Result<Box<HttpPeer>> {
        let (Outcome::Permitted(permit), Some(upstream)) = (&exchange.outcome, &exchange.upstream)
        else {
            return Error::e_explain(ErrorType::InternalError, "no permit");
        };
        let ip = exchange.client.as_ref().and_then(|client| client.ip);
        let (timeouts, holder) = (&permit.route().timeouts, Holder::of(permit, ip));
        let attempts = &mut exchange.attempts;
        let Some(way) = upstream.way(timeouts, holder, &attempts.unreachable) else {
            return nowhere(attempts, upstream, &mut exchange.failure);
        };
        if attempts.made > 0 {
            upstream.retries.inc();
        }
        attempts.made += 1;
        attempts.address = way.address;
        attempts.dial = way.dial;
        exchange.sent_upstream = Some(self.clock.instant());
        Ok(way.peer)
    }

    /// Nothing was sent: another address may be tried, where there is one.
    pub(super) fn not_connected(exchange: &mut Exchange, peer: &HttpPeer, error: &mut Error) {
        let (Some(upstream), Some(address)) = (&exchange.upstream, peer.address().as_inet()) else {
            return error.set_retry(false);
        };
        let attempts = &mut exchange.attempts;
        // No stream on an HTTP/2 connection that was open: it says nothing of the address.
        if *error.etype() == ErrorType::H2Error {
            return error.set_retry(attempts.made < MOST);
        }
        upstream.addresses.failed(address);
        attempts.unreachable.push(*address);
        attempts.timed_out = Failure::of_upstream(error) == Failure::UpstreamTimeout;
        let another = upstream.addresses.has_others_than(&attempts.unreachable);
        error.set_retry(another && attempts.made < MOST);
    }

    /// Something was sent, and no whole answer came.
    pub(super) fn not_answered(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        peer: &HttpPeer,
        error: &mut Error,
        reused: bool,
    ) {
        let dial = exchange.attempts.dial.as_ref();
        let reused = dial.map_or(reused, |dial| dial.found_kept());
        if counts(error, session, exchange, reused)
            && let (Some(upstream), Some(address)) = (&exchange.upstream, exchange.address())
        {
            upstream.addresses.failed(address);
        }
        error.retry.decide_reuse(reused);
        let was_dead = error.retry();
        let safe = session.req_header().method.is_safe() && session.as_mut().is_body_empty();
        let unanswered = exchange.status.is_none() && session.response_written().is_none();
        let soon = exchange.sent_upstream.is_some_and(|sent| {
            let spent = self.clock.instant().saturating_duration_since(sent);
            peer.options
                .connection_timeout
                .is_none_or(|most| spent <= most)
        });
        let retry = was_dead && safe && unanswered && soon && exchange.attempts.made < MOST;
        error.set_retry(retry);
    }

    /// The head of an answer came.
    pub(super) fn answered(exchange: &Exchange) {
        if let (Some(upstream), Some(address)) = (&exchange.upstream, exchange.address()) {
            upstream.addresses.answered(address);
        }
    }
}

impl Exchange {
    const fn address(&self) -> Option<&SocketAddr> {
        self.attempts.address.as_ref()
    }
}

/// There is no address to try (any more).
fn nowhere(
    attempts: &Attempts,
    upstream: &Arc<Upstream>,
    failure: &mut Option<Failure>,
) -> pingora::Result<Box<HttpPeer>> {
    let kind = match (attempts.made, attempts.timed_out) {
        (0, _) => {
            *failure = Some(Failure::UpstreamUnavailable {
                retry_after: upstream.addresses.retry_after(),
            });
            ErrorType::ConnectError
        }
        (_, true) => ErrorType::ConnectTimedout,
        (_, false) => ErrorType::ConnectError,
    };
    Err(Error::explain(kind, "no address of the upstream is left").into_up())
}

/// Whether an address is to blame: no head of an answer came from it, although a new
/// connection or enough time was given. A route's own, shorter patience is no measure for
/// all. What ends before the whole request was sent may be the client's doing.
fn counts(error: &Error, session: &mut Session, exchange: &Exchange, reused: bool) -> bool {
    let is_sending = !session.as_mut().is_body_done();
    if *error.esource() != ErrorSource::Upstream || exchange.status.is_some() || is_sending {
        return false;
    }
    let own = match &exchange.outcome {
        Outcome::Permitted(permit) => permit.route().timeouts,
        _ => return false,
    };
    match error.etype() {
        ErrorType::ReadTimedout => own.read.is_none(),
        ErrorType::WriteTimedout => own.write.is_none(),
        _ => !reused,
    }
}
