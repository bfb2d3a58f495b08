//! What is known of a connection, for the requests on it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::abuse::Abuse;
use super::census::Seat;
use super::tls::ClientCertificate;

tokio::task_local! {
    /// The connection whose request this task serves. Pingora makes a request's context
    /// without telling for whom; this does.
    static CONNECTION: Arc<Connection>;
}

/// A connection, from its handshake to its end.
#[derive(Debug)]
pub(in crate::proxy) struct Connection {
    /// Who is at the other end: canonical, or none for a client without an address.
    pub(in crate::proxy) peer: Option<IpAddr>,
    /// Whether it is encrypted.
    pub(in crate::proxy) tls: bool,
    /// What the client has proven to be, if it has.
    pub(in crate::proxy) client_certificate: Option<ClientCertificate>,
    /// The port that all requests are sent to instead of being served.
    pub(in crate::proxy) redirect: Option<u16>,
    /// The proxy that told the peer's address, if one did.
    pub(super) told_by: Option<IpAddr>,
    /// Requests that Pingora understood.
    exchanges: AtomicU64,
    /// Requests that have come over HTTP/2, whoever answers them.
    come: AtomicU64,
    /// Those of them and whatever else was taken from the network.
    taken: AtomicU64,
    /// Those of them that the library refused for their number.
    refused: AtomicU64,
    /// Whether the stream became something else than HTTP.
    tunnel: AtomicBool,
    /// Whether the body that is being read was found to be malformed.
    malformed: AtomicBool,
    /// Why it is ended from this side.
    abuse: OnceLock<Abuse>,
    _seat: Seat,
}

impl Connection {
    pub(super) const fn new(peer: Option<IpAddr>, tls: bool, seat: Seat) -> Self {
        Self {
            peer,
            tls,
            client_certificate: None,
            redirect: None,
            told_by: None,
            exchanges: AtomicU64::new(0),
            come: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            tunnel: AtomicBool::new(false),
            malformed: AtomicBool::new(false),
            abuse: OnceLock::new(),
            _seat: seat,
        }
    }

    /// Serves requests of this connection.
    pub(super) async fn scope<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        CONNECTION.scope(self, work).await
    }

    /// The connection whose request the current task begins to serve.
    pub(in crate::proxy) fn begin_exchange() -> Option<Arc<Self>> {
        let connection = CONNECTION.try_with(Arc::clone).ok()?;
        connection.exchanges.fetch_add(1, Ordering::Relaxed);
        Some(connection)
    }

    pub(super) fn exchanges(&self) -> u64 {
        self.exchanges.load(Ordering::Relaxed)
    }

    /// So many requests have come over HTTP/2, and were read.
    pub(super) fn have_come(&self, requests: u64) {
        self.come.store(requests, Ordering::Relaxed);
    }

    /// So many have come, of which the last may not have been read.
    pub(super) fn have_been_taken(&self, requests: u64) {
        self.taken.store(requests, Ordering::Relaxed);
    }

    /// The last are not to be served: there are so many at most.
    pub(super) fn end_with(&self, requests: u64) {
        self.come.fetch_min(requests, Ordering::Relaxed);
        self.taken.fetch_min(requests, Ordering::Relaxed);
    }

    /// Nothing more is read: what was taken is all that has come.
    pub(super) fn close_reading(&self) {
        let taken = self.taken.load(Ordering::Relaxed);
        self.come.fetch_max(taken, Ordering::Relaxed);
    }

    pub(super) fn come(&self) -> u64 {
        self.come.load(Ordering::Relaxed)
    }

    /// So many more were refused for their number.
    pub(super) fn have_been_refused(&self, requests: u64) {
        self.refused.fetch_add(requests, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The backend agreed to an upgrade: from here on bytes pass as they are.
    pub(in crate::proxy) fn open_tunnel(&self) {
        self.tunnel.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_tunnel(&self) -> bool {
        self.tunnel.load(Ordering::Relaxed)
    }

    pub(super) fn found_malformed(&self) {
        self.malformed.store(true, Ordering::Relaxed);
    }

    /// What is found first is why it ends.
    pub(super) fn found_abuse(&self, abuse: Abuse) {
        let _ = self.abuse.set(abuse);
    }

    pub(super) fn abuse(&self) -> Option<Abuse> {
        self.abuse.get().copied()
    }

    /// Whether the body that is being read has no single meaning.
    pub(in crate::proxy) fn is_malformed(&self) -> bool {
        self.malformed.load(Ordering::Relaxed)
    }
}
