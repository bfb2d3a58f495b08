//! HTTP/2: many requests at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pingora::apps::HttpServerApp as _;
use pingora::protocols::Digest;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{
    H2Accept, H2Options, HttpSession, default_h2_options, handshake,
};
use pingora::server::ShutdownWatch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::accept::Front;
use super::body_watch::BodyWatch;
use super::frames::{FrameLimits, Frames};
use super::gate::Gate;
use super::span::Span;
use crate::config::Limits;

/// What a client that knows sends first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a client that was told of the end may take to hear it.
const GOODBYE: Duration = Duration::from_secs(1);
/// Malformed requests of a connection until it is closed.
const MAX_MALFORMED: u32 = 32;

impl Front {
    /// Whether a client speaks HTTP/2 without having been asked.
    pub(super) async fn begins_http2(&self, gate: &mut Gate) -> bool {
        let limits = self.limits();
        let mut due = Instant::now() + limits.idle;
        let mut begun = false;
        loop {
            let come = gate.ahead();
            if !PREFACE.starts_with(&come[..come.len().min(PREFACE.len())]) {
                return false;
            }
            if come.len() >= PREFACE.len() {
                return true;
            }
            if !come.is_empty() && !begun {
                begun = true;
                due = Instant::now() + limits.header_timeout;
            }
            if !matches!(timeout_at(due, gate.fill()).await, Ok(Ok(true))) {
                return false;
            }
        }
    }

    /// Serves requests until the client or the gateway has enough.
    pub(super) async fn serve_http2(&self, mut gate: Box<Gate>, mut shutdown: ShutdownWatch) {
        let limits = self.limits();
        let connection = Arc::clone(gate.connection());
        let frames = Frames::new(frame_limits(&limits), self.gateway.clock.clone());
        if gate.open(Span::Frames(Box::new(frames))).is_err() {
            return;
        }
        let handshake = handshake(gate, Some(h2_options(&limits)));
        let Ok(Ok(mut streams)) = timeout(limits.header_timeout, handshake).await else {
            return;
        };
        let digest = Arc::new(Digest::default());
        let requests = Arc::new(Requests::default());
        let mut malformed = 0;
        let mut closing = false;
        let mut patience = Instant::now() + limits.idle;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = shutdown.wait_for(|down| *down), if !closing => {
                    // New requests go elsewhere; those that run are finished.
                    streams.graceful_shutdown();
                    closing = true;
                    continue;
                }
                accepted = HttpSession::from_h2_conn(&mut streams, Arc::clone(&digest)) => accepted,
                () = sleep_until(patience) => {
                    patience = requests.idle_until(limits.idle);
                    if patience <= Instant::now() {
                        if closing {
                            return;
                        }
                        // Said before it is done: a request on its way is not lost.
                        streams.graceful_shutdown();
                        closing = true;
                        patience = Instant::now() + GOODBYE;
                    }
                    continue;
                }
            };
            match accepted {
                Ok(Some(H2Accept::Session(session))) => {
                    let request = self.serve_stream(session, limits.idle, shutdown.clone());
                    let counted = requests.enter();
                    tokio::spawn(Arc::clone(&connection).scope(async move {
                        request.await;
                        drop(counted);
                    }));
                }
                Ok(Some(H2Accept::Rejected)) if malformed < MAX_MALFORMED => malformed += 1,
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn serve_stream(
        &self,
        session: HttpSession,
        idle: Duration,
        shutdown: ShutdownWatch,
    ) -> impl Future<Output = ()> + use<> {
        let mut session = ServerSession::new_http2(session);
        session.set_write_timeout(Some(idle));
        let proxy = Arc::clone(&self.proxy);
        BodyWatch::guard(idle, async move {
            proxy.process_new_http(session, &shutdown).await;
        })
    }
}

/// The requests of a connection, and since when there is none.
struct Requests(Mutex<(usize, Instant)>);

impl Default for Requests {
    fn default() -> Self {
        Self(Mutex::new((0, Instant::now())))
    }
}

impl Requests {
    fn state(&self) -> MutexGuard<'_, (usize, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>) -> Request {
        self.state().0 += 1;
        Request(Arc::clone(self))
    }

    /// When the connection will have been idle for so long, if nothing comes.
    fn idle_until(&self, idle: Duration) -> Instant {
        match *self.state() {
            (0, since) => since + idle,
            _ => Instant::now() + idle,
        }
    }
}

/// One of them.
struct Request(Arc<Requests>);

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.0.state();
        *state = (state.0 - 1, Instant::now());
    }
}

fn frame_limits(limits: &Limits) -> FrameLimits {
    FrameLimits {
        resets: limits.resets,
        header_timeout: limits.header_timeout,
    }
}

fn h2_options(limits: &Limits) -> H2Options {
    let mut options = default_h2_options();
    let bytes = u32::try_from(limits.head.bytes).unwrap_or(u32::MAX);
    options
        .max_concurrent_streams(limits.streams)
        // By default it hangs up after 20 that come at once: the frames are counted here.
        .max_pending_accept_reset_streams(limits.resets as usize)
        .max_header_list_size(bytes);
    options
}
