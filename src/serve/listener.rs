//! Addresses: bound at once, so that a mistake shows at once; opened when there is
//! somebody to answer.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    pub(super) address: SocketAddr,
    pub(super) source: io::Error,
}

/// An address that is ours.
pub(super) struct Bound {
    address: SocketAddr,
    socket: Socket,
}

enum Socket {
    /// Not open yet.
    Fresh(TcpSocket),
    /// Open, and for some time still another process accepts from it as well.
    Inherited(std::net::TcpListener),
}

impl Bound {
    pub(super) fn new(address: SocketAddr) -> Result<Self, ListenError> {
        let bind = || {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok(socket)
        };
        match bind() {
            Ok(socket) => Ok(Self {
                address,
                socket: Socket::Fresh(socket),
            }),
            Err(source) => Err(ListenError { address, source }),
        }
    }

    pub(super) const fn inherited(address: SocketAddr, socket: std::net::TcpListener) -> Self {
        let socket = Socket::Inherited(socket);
        Self { address, socket }
    }

    /// As it is configured.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens it, and logs the address that port 0 became.
    pub(super) fn listen(self, name: &'static str) -> Result<std::net::TcpListener, ListenError> {
        let Self { address, socket } = self;
        let open = || {
            let listener = match socket {
                Socket::Fresh(socket) => socket.listen(BACKLOG)?.into_std()?,
                Socket::Inherited(listener) => listener,
            };
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            tracing::info!(%address, listener = name, "listening");
            Ok(listener)
        };
        open().map_err(|source| ListenError { address, source })
    }
}
