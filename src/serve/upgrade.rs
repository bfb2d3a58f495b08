//! Upgrade: a new process takes the place of the running one, and no connection is lost.
//!
//! The two meet in `<data_dir>/upgrade/`, which nobody else may enter:
//!
//! 1. The new process (`serve --upgrade`) does all that can fail: configuration,
//!    database, role table, its part of the spool.
//! 2. It connects to `control` and says `take over`.
//! 3. The old one sends its listening sockets, and the locks of the spool and of the
//!    private Postgres, by Pingora's transfer of file descriptors. It still serves.
//! 4. The new one opens its doors and says `serving`.
//! 5. Only now the old one stops accepting; it lets go of the locks and the Postgres,
//!    says `yours`, ends what it has begun, and ends.
//!
//! Whichever of the two dies on the way, the other one serves: until step 5 the old one
//! has given up nothing, from step 3 on the new one has everything.
//!
//! Of Pingora's [`Fds`](pingora::server::Fds) only the sending half is used: what its
//! receiving half gives are numbers, which become sockets by `unsafe` code only.

mod offer;
mod place;
mod successor;

pub(super) use self::offer::{Goods, Offer, Taken};
pub use self::successor::UpgradeError;
pub(super) use self::successor::{Inherited, Predecessor, take_over};

/// What is sent beside the listening sockets.
const SPOOL_LOCK: &str = "spool-lock";
const POSTGRES_LOCK: &str = "postgres-lock";

/// The lines that are said.
const TAKE_OVER: &str = "take over 1";
const SERVING: &str = "serving";
const YOURS: &str = "yours";

/// Name of a listening socket: what it is for, its address as configured, and which it is
/// of several that are configured alike (port 0 may be there twice).
fn name(role: &str, address: std::net::SocketAddr, which: usize) -> String {
    format!("{role}={address}#{which}")
}
