//! Open files: each connection is one, and one more to its backend.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// What the gateway itself keeps open: spool, database, listeners.
const OWN: u64 = 256;

/// Takes as many as the system gives, and says so if that is too few for the connections
/// that are allowed: the rest would wait unaccepted.
pub(super) fn raise(limits: &Limits) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let allowed = if setrlimit(Resource::Nofile, raised).is_ok() {
        maximum
    } else {
        current
    };
    let wanted = limits.connections as u64 * 2 + OWN;
    if let Some(allowed) = allowed.filter(|allowed| *allowed < wanted) {
        tracing::warn!(
            allowed,
            wanted,
            "too few open files for `limits.connections`: raise the limit (ulimit -n, \
             LimitNOFILE=) or lower `limits.connections`"
        );
    }
}
