//! Addresses: bound at once, so that a mistake shows at once; opened when there is
//! somebody to answer.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

/// An address that is ours, but not open yet.
pub(super) struct Bound {
    address: SocketAddr,
    socket: TcpSocket,
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
            Ok(socket) => Ok(Self { address, socket }),
            Err(source) => Err(ListenError { address, source }),
        }
    }

    /// Opens it, and logs the address that port 0 became.
    pub(super) fn listen(self, name: &'static str) -> Result<TcpListener, ListenError> {
        let Self { address, socket } = self;
        let opened = socket.listen(BACKLOG).and_then(|listener| {
            let address = listener.local_addr()?;
            tracing::info!(%address, listener = name, "listening");
            Ok(listener)
        });
        opened.map_err(|source| ListenError { address, source })
    }
}
