//! From an accepted socket to a stream that speaks HTTP: the PROXY header, then TLS.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use pingora::protocols::Stream;
use pingora::protocols::tls::SslStream;
use pingora::protocols::tls::server::handshake;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::accept::Front;
use super::census::{Full, Seat};
use super::connection::Connection;
use super::listener::Protocol;
use super::proxy_protocol::{self, MalformedHeader, Progress, Told};
use super::tls::{ClientCertificate, Tls};
use super::wire::Wire;

/// Why a connection ended before a request could come.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Its peer is no proxy that may tell an address.
    #[error("the peer is not in `trusted_proxies`")]
    Untrusted,
    #[error(transparent)]
    ProxyHeader(#[from] MalformedHeader),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("{0}")]
    Handshake(Box<pingora::Error>),
    #[error("the client took too long")]
    Timeout,
}

impl Failure {
    /// A stable word for the metrics.
    const fn code(&self) -> &'static str {
        match self {
            Self::Untrusted => "proxy_untrusted",
            Self::ProxyHeader(_) => "proxy_header",
            Self::Broken(_) => "broken",
            Self::Handshake(_) => "tls_handshake",
            Self::Timeout => "timeout",
        }
    }
}

impl Front {
    /// Learns who the client is and secures the connection. None if it ended meanwhile,
    /// which is no news: every scanner does that.
    pub(super) async fn establish(
        &self,
        mut socket: TcpStream,
        peer: IpAddr,
        mut seat: Seat,
        protocol: &Protocol,
    ) -> Option<(Stream, Arc<Connection>)> {
        let told_by = protocol.proxied.then_some(peer);
        let establish = async {
            let peer = if protocol.proxied {
                self.told(&mut socket, peer).await?
            } else {
                Some(peer)
            };
            if let (true, Some(client)) = (protocol.proxied, peer)
                && let Err(full) = self.seat_for(&mut seat, client)
            {
                self.shed(socket, full, protocol);
                return Ok(None);
            }
            let stream = match &protocol.tls {
                Some(tls) => secure(socket, tls).await?,
                None => Box::new(Wire::new(socket)),
            };
            let certificate = stream.get_ssl().and_then(ClientCertificate::of);
            let mut connection = Connection::new(peer, protocol.tls.is_some(), seat);
            connection.client_certificate = certificate;
            connection.redirect = protocol.redirect;
            connection.told_by = told_by;
            Ok(Some((stream, Arc::new(connection))))
        };
        let bound = self.limits().header_timeout;
        let established = timeout(bound, establish).await;
        established
            .unwrap_or(Err(Failure::Timeout))
            .unwrap_or_else(|failure| {
                let metrics = &self.gateway.metrics.transport;
                metrics.failed(failure.code()).inc();
                tracing::debug!(%peer, %failure, "a connection ended before a request");
                None
            })
    }

    /// The client's address as a trusted proxy tells it.
    async fn told(&self, socket: &mut TcpStream, peer: IpAddr) -> Result<Option<IpAddr>, Failure> {
        if !self.gateway.rules.load().trusts(peer) {
            return Err(Failure::Untrusted);
        }
        Ok(match proxy_header(socket).await? {
            Told::Itself => Some(peer),
            Told::Client(client) => Some(client),
            Told::Unknown => None,
        })
    }

    /// Trusted proxies bring the connections of many: they are not counted by address.
    pub(super) fn seat_for(&self, seat: &mut Seat, client: IpAddr) -> Result<(), Full> {
        let rules = self.gateway.rules.load();
        if rules.trusts(client) {
            return Ok(());
        }
        seat.take_for(client, rules.limits.connections_per_address)
    }
}

/// Reads no byte beyond the header: the next one is the client's.
async fn proxy_header(socket: &mut TcpStream) -> Result<Told, Failure> {
    let mut header = Vec::new();
    loop {
        match proxy_protocol::read(&header)? {
            Progress::Done(told) => return Ok(told),
            Progress::More(more) => {
                let end = header.len();
                header.resize(end + more, 0);
                socket.read_exact(&mut header[end..]).await?;
            }
        }
    }
}

async fn secure(socket: TcpStream, tls: &Tls) -> Result<Stream, Failure> {
    let stream: SslStream<Wire> = handshake(&tls.acceptor(), Wire::new(socket))
        .await
        .map_err(Failure::Handshake)?;
    Ok(Box::new(stream))
}
