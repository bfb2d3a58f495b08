//! The front: from an accepted connection to one request at a time.
//!
//! Pingora's parsers are forgiving, and know neither a total deadline for a header nor a
//! bound on connections. So its listening service is left out: the front accepts, counts,
//! and reads each head itself, strictly and within bounds, before Pingora sees a byte.
//!
//! | file | what it does |
//! |---|---|
//! | `listener.rs` | an address with what is spoken there |
//! | `accept.rs` | accepts, counts, sheds, starts a connection |
//! | `census.rs` | how many connections there are, in all and per address |
//! | `transport.rs` | who the client is, and TLS |
//! | `proxy_protocol.rs` | the header by which a proxy tells its client's address |
//! | `tls/` | certificates by name, read anew when they change; those of clients |
//! | `connection.rs` | what is known of a connection, for its requests |
//! | `wire.rs` | a TCP connection as Pingora wants one |
//! | `gate.rs`, `span.rs` | cuts the stream to the request that is being served |
//! | `http1.rs` | one request after the other |
//! | `http2/`, `frames/`, `body_watch.rs` | many at once; bounds on what frames may cost and bodies may take |
//! | `patience.rs` | how long it waits, and by which limits |
//! | `refuse.rs` | the answer to a head that is none |
//! | `abuse.rs` | why a connection is ended from this side |

mod abuse;
mod accept;
mod body_watch;
mod census;
mod connection;
mod frames;
mod gate;
mod http1;
mod http2;
mod listener;
mod patience;
mod proxy_protocol;
mod refuse;
mod span;
mod tls;
mod transport;
mod wire;

pub(super) use abuse::Abuse;
pub use accept::Front;
pub(super) use body_watch::BodyWatch;
pub(super) use connection::Connection;
pub use listener::{Listener, Protocol};
pub use tls::{CertificateWatch, Renewal};
