//! What is known of a connection, for the requests on it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    /// Requests that Pingora understood.
    exchanges: AtomicU64,
    /// Whether the stream became something else than HTTP.
    tunnel: AtomicBool,
    /// Whether the body that is being read was found to be malformed.
    malformed: AtomicBool,
    _seat: Seat,
}

impl Connection {
    pub(super) const fn new(peer: Option<IpAddr>, tls: bool, seat: Seat) -> Self {
        Self {
            peer,
            tls,
            client_certificate: None,
            redirect: None,
            exchanges: AtomicU64::new(0),
            tunnel: AtomicBool::new(false),
            malformed: AtomicBool::new(false),
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

    /// Whether the body that is being read has no single meaning.
    pub(in crate::proxy) fn is_malformed(&self) -> bool {
        self.malformed.load(Ordering::Relaxed)
    }
}
