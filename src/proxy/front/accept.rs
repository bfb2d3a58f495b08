//! Accepts connections, counts them, and starts each on a thread of its own.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::{HttpServerApp as _, HttpServerOptions};
use pingora::protocols::{ALPN, Stream};
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::census::{Census, Full, Seat};
use super::connection::Connection;
use super::gate::Gate;
use super::listener::{Listener, Protocol};
use crate::proxy::Gateway;

/// What a client over HTTP/1 hears when there are too many connections.
const SHED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";
/// How long a client that was shed may take to read that.
const LINGER: Duration = Duration::from_millis(500);
/// Clients that were shed and are waited for.
const MAX_LINGERING: usize = 64;
/// Pause when the system gives no more sockets: others must be closed first.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(50);

/// Gives the requests of all connections to Pingora's proxy.
pub struct Front {
    pub(super) gateway: Gateway,
    pub(super) proxy: Arc<HttpProxy<Gateway>>,
    census: Census,
    lingering: Arc<Semaphore>,
    /// Turns true when a client may no longer be waited for.
    pub(super) hang_up: ShutdownWatch,
}

impl Front {
    /// A front for this gateway. After shutdown, connections still wait for a last
    /// request until `hang_up`.
    #[must_use]
    pub fn new(gateway: Gateway, conf: Arc<ServerConf>, hang_up: ShutdownWatch) -> Self {
        let mut proxy = HttpProxy::new(gateway.clone(), conf);
        proxy.handle_init_modules();
        proxy.server_options = Some(options());
        Self {
            census: Census::new(gateway.metrics.transport.connections.clone()),
            lingering: Arc::new(Semaphore::new(MAX_LINGERING)),
            proxy: Arc::new(proxy),
            gateway,
            hang_up,
        }
    }

    /// Accepts connections until shutdown.
    ///
    /// # Errors
    ///
    /// If the socket cannot be watched.
    pub async fn accept(
        self: Arc<Self>,
        listener: Listener,
        mut shutdown: ShutdownWatch,
    ) -> io::Result<()> {
        let protocol = listener.protocol;
        let socket = TcpListener::from_std(listener.socket)?;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = shutdown.wait_for(|down| *down) => return Ok(()),
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.admit(stream, peer.ip().to_canonical(), &protocol, &shutdown);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(OUT_OF_SOCKETS).await;
                }
            }
        }
    }

    /// Ends what Pingora keeps waiting.
    pub async fn close(&self) {
        self.proxy.http_cleanup().await;
    }

    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        protocol: &Arc<Protocol>,
        shutdown: &ShutdownWatch,
    ) {
        let seat = match self.seat(peer) {
            Ok(seat) => seat,
            Err(full) => return self.shed(stream, full, protocol),
        };
        // A small answer is not held back for the acknowledgement of another.
        let Ok(stream) = stream.set_nodelay(true).and_then(|()| stream.into_std()) else {
            return;
        };
        let front = Arc::clone(self);
        let (protocol, shutdown) = (Arc::clone(protocol), shutdown.clone());
        pingora_runtime::current_handle().spawn(async move {
            // Watched by the thread that serves it, not by the one that accepted it.
            let Ok(stream) = TcpStream::from_std(stream) else {
                return;
            };
            // In a box, which is gone when the connection waits for requests.
            let established = Box::pin(front.establish(stream, peer, seat, &protocol));
            if let Some((stream, connection)) = established.await {
                let http2 = protocol.http2;
                Box::pin(front.serve(stream, connection, http2, shutdown)).await;
            }
        });
    }

    fn seat(&self, peer: IpAddr) -> Result<Seat, Full> {
        let mut seat = self.census.enter(self.limits().connections)?;
        self.seat_for(&mut seat, peer)?;
        Ok(seat)
    }

    /// Says so and hangs up; a client that does not listen is not waited for.
    pub(super) fn shed(&self, mut stream: TcpStream, full: Full, protocol: &Protocol) {
        let reason = match full {
            Full::Total => "connections",
            Full::Address => "connections_per_address",
        };
        self.gateway.metrics.transport.shed(reason).inc();
        // There are no words for it before a handshake.
        if protocol.tls.is_some() || stream.try_write(SHED).is_err() {
            return;
        }
        // Closing with unread bytes would take the answer back. But a flood is not waited for.
        let Ok(permit) = Arc::clone(&self.lingering).try_acquire_owned() else {
            return;
        };
        tokio::spawn(tokio::time::timeout(LINGER, async move {
            let _permit = permit;
            let _ = stream.shutdown().await;
            while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
        }));
    }

    /// Serves a connection to its end.
    async fn serve(
        self: Arc<Self>,
        stream: Stream,
        connection: Arc<Connection>,
        http2: bool,
        shutdown: ShutdownWatch,
    ) {
        let chosen = matches!(stream.selected_alpn_proto(), Some(ALPN::H2));
        let may_begin_with_preface = http2 && !connection.tls;
        let scope = Arc::clone(&connection);
        let mut gate = Box::new(Gate::new(stream, connection));
        let served = scope.scope(async move {
            if may_begin_with_preface && !self.begins(&mut gate).await {
                return;
            }
            if chosen || may_begin_with_preface && self.begins_http2(&mut gate).await {
                self.serve_http2(gate, shutdown).await;
            } else {
                self.serve_http1(gate, shutdown).await;
            }
        });
        // Large: it holds a whole connection.
        Box::pin(served).await;
    }
}

/// CONNECT reaches the policy, which refuses it with an event like anything else.
fn options() -> HttpServerOptions {
    let mut options = HttpServerOptions::default();
    options.allow_connect_method_proxying = true;
    options
}
