//! An address with what is spoken there.

use std::net::TcpListener;

/// Where clients come in.
#[derive(Debug)]
pub struct Listener {
    /// The open socket, not blocking.
    pub socket: TcpListener,
    /// Whether HTTP/2 is spoken as well.
    pub http2: bool,
}
