//! How one attempt comes to its connection: a kept one, or a new one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::{L4Connect, TransportConnector};
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::VirtualSocketStream;
use pingora::upstreams::peer::HttpPeer;

use super::lease::Lease;
use super::pool::{Place, Pool};

/// One attempt to reach a backend.
pub(in crate::proxy) struct Dial {
    connector: Arc<TransportConnector>,
    pool: Arc<Pool>,
    place: Place,
    /// As whom to connect, TLS included.
    peer: HttpPeer,
    /// For how long its connection may be kept.
    idle: Duration,
    found_kept: AtomicBool,
}

impl Dial {
    pub(in crate::proxy) const fn new(
        connector: Arc<TransportConnector>,
        pool: Arc<Pool>,
        place: Place,
        peer: HttpPeer,
        idle: Duration,
    ) -> Self {
        Self {
            connector,
            pool,
            place,
            peer,
            idle,
            found_kept: AtomicBool::new(false),
        }
    }

    /// What Pingora is told to connect to. To it the connection is a plain one: what makes it
    /// encrypted lies below.
    pub(in crate::proxy) fn peer(self: &Arc<Self>) -> HttpPeer {
        let mut peer = HttpPeer::new(self.place.address, false, String::new());
        let (options, own) = (&mut peer.options, &self.peer.options);
        options.connection_timeout = own.connection_timeout;
        options.total_connection_timeout = own.total_connection_timeout;
        options.read_timeout = own.read_timeout;
        options.write_timeout = own.write_timeout;
        let itself: Arc<Self> = Arc::clone(self);
        options.custom_l4 = Some(itself);
        peer
    }

    /// Whether the connection had served before.
    pub(in crate::proxy) fn found_kept(&self) -> bool {
        self.found_kept.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl L4Connect for Dial {
    async fn connect(&self, _: &SocketAddr) -> pingora::Result<Stream> {
        let kept = self.pool.take(&self.place);
        self.found_kept.store(kept.is_some(), Ordering::Relaxed);
        let stream = match kept {
            Some(stream) => stream,
            None => self.connector.new_stream(&self.peer).await?,
        };
        let pool = Arc::clone(&self.pool);
        let lease = Lease::new(stream, pool, self.place.clone(), self.idle);
        Ok(VirtualSocketStream::new(Box::new(lease)).into())
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
