//! A connection from its handshake to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pingora::apps::HttpServerApp as _;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, HttpSession};
use pingora::protocols::{Digest, Stream};
use pingora::server::ShutdownWatch;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::requests::Requests;
use super::unheard::{Unheard, Why, beside};
use crate::config::Limits;
use crate::proxy::front::abuse::Abuse;
use crate::proxy::front::accept::Front;
use crate::proxy::front::body_watch::BodyWatch;
use crate::proxy::front::connection::Connection;
use crate::proxy::rescue::Failure;

/// How long a client that was told of the end may take to hear it.
const GOODBYE: Duration = Duration::from_secs(1);
/// Malformed requests of a connection until it is closed.
const MAX_MALFORMED: u32 = 32;

/// A connection and its requests.
pub(super) struct Conversation<'f> {
    front: &'f Front,
    connection: Arc<Connection>,
    streams: h2::server::Connection<Stream, Bytes>,
    digest: Arc<Digest>,
    /// Those of the handshake, which cannot be changed afterwards.
    limits: Limits,
    requests: Arc<Requests>,
    unheard: Unheard,
    malformed: u32,
    /// Since when the client knows that it is to leave.
    leaving: Option<Instant>,
}

impl<'f> Conversation<'f> {
    pub(super) fn new(
        front: &'f Front,
        connection: Arc<Connection>,
        streams: h2::server::Connection<Stream, Bytes>,
        limits: Limits,
    ) -> Self {
        Self {
            front,
            connection,
            streams,
            digest: Arc::default(),
            limits,
            requests: Arc::default(),
            unheard: Unheard::default(),
            malformed: 0,
            leaving: None,
        }
    }

    /// Serves requests until one of the two has enough.
    pub(super) async fn hold(
        mut self,
        mut shutdown: ShutdownWatch,
        mut swaps: watch::Receiver<()>,
    ) -> Result<(), Abuse> {
        let mut patience = self.patience();
        loop {
            let accepted = tokio::select! {
                biased;
                // New requests go elsewhere; those that run are finished.
                _ = shutdown.wait_for(|down| *down), if self.leaving.is_none() => {
                    self.say_goodbye();
                    patience = self.patience();
                    continue;
                }
                _ = swaps.changed() => {
                    self.compare_limits();
                    patience = self.patience();
                    continue;
                }
                accepted = beside(
                    HttpSession::from_h2_conn(&mut self.streams, Arc::clone(&self.digest)),
                    || self.unheard.find(&self.connection),
                ) => accepted,
                () = sleep_until(patience) => {
                    if self.is_out_of_patience() {
                        return Ok(());
                    }
                    patience = self.patience();
                    continue;
                }
            };
            match accepted {
                Err(Why::Malformed) => self.rejected().await?,
                Err(Why::TooMany) => self.front.gateway.note_refused(&self.connection).await,
                Ok(Ok(Some(accepted))) => {
                    self.unheard.heard();
                    match accepted {
                        H2Accept::Session(session) => self.serve(session, &shutdown).await,
                        H2Accept::Rejected => self.rejected().await?,
                    }
                }
                Ok(Ok(None)) => {
                    self.abandon().await;
                    return Ok(());
                }
                Ok(Err(error)) => {
                    self.connection.close_reading();
                    self.abandon().await;
                    return Abuse::found_by_parser(&error);
                }
            }
        }
    }

    /// It is said before it is done: a request on its way is not lost.
    fn say_goodbye(&mut self) {
        self.streams.graceful_shutdown();
        self.leaving = Some(Instant::now());
    }

    /// Of what the handshake agreed on nothing can be changed: who wants to go on comes
    /// again.
    fn compare_limits(&mut self) {
        let limits = self.front.limits_of(&self.connection);
        let same = limits.is_some_and(|limits| agreed(&limits) == agreed(&self.limits));
        if !same && self.leaving.is_none() {
            self.say_goodbye();
        }
    }

    /// When to look whether there is still something to wait for.
    fn patience(&self) -> Instant {
        match (self.requests.idle_since(), self.leaving) {
            (Some(since), Some(told)) => since.max(told) + GOODBYE,
            (Some(since), None) => since + self.front.limits().idle,
            (None, Some(_)) => Instant::now() + GOODBYE,
            (None, None) => Instant::now() + self.front.limits().idle,
        }
    }

    /// Whether the end has come. A client that was not told of it is told first.
    fn is_out_of_patience(&mut self) -> bool {
        if self.patience() > Instant::now() {
            return false;
        }
        let told = self.leaving.is_some();
        if !told {
            self.say_goodbye();
        }
        told
    }

    /// Whether a request is taken. A client that stays though it was told to leave would
    /// otherwise keep the limits that it came under.
    fn is_open(&self) -> bool {
        let limits = self.front.limits_of(&self.connection);
        let overstays = |told: Instant| told.elapsed() > self.limits.header_timeout;
        limits.is_some() && !self.leaving.is_some_and(overstays)
    }

    /// The client has closed the connection right behind requests, or broken the protocol there.
    async fn abandon(&mut self) {
        while self.unheard.find(&self.connection).is_some() {
            let gateway = &self.front.gateway;
            gateway
                .note_unserved(&self.connection, Failure::Client)
                .await;
        }
    }

    async fn serve(&self, session: HttpSession, shutdown: &ShutdownWatch) {
        if !self.is_open() {
            let gateway = &self.front.gateway;
            gateway
                .note_unserved(&self.connection, Failure::Interrupted)
                .await;
            // Dropped, it is reset.
            return;
        }
        let idle = self.front.limits().idle;
        let mut session = ServerSession::new_http2(session);
        session.set_write_timeout(Some(idle));
        let (proxy, shutdown) = (Arc::clone(&self.front.proxy), shutdown.clone());
        let request = BodyWatch::guard(idle, async move {
            proxy.process_new_http(session, &shutdown).await;
        });
        let counted = self.requests.enter();
        tokio::spawn(Arc::clone(&self.connection).scope(async move {
            request.await;
            drop(counted);
        }));
    }

    /// A request was answered or reset by the library, which understands less than others.
    async fn rejected(&mut self) -> Result<(), Abuse> {
        let gateway = &self.front.gateway;
        gateway.note_malformed(&self.connection).await;
        self.malformed += 1;
        if self.malformed > MAX_MALFORMED {
            return Err(Abuse::MalformedRequests);
        }
        Ok(())
    }
}

/// The limits that a handshake settles.
fn agreed(limits: &Limits) -> impl PartialEq {
    (
        limits.streams,
        limits.resets,
        limits.head.bytes,
        limits.header_timeout,
    )
}
