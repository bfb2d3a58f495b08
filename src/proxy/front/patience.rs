//! How long the front waits, and by which limits: those in force, whatever a connection was
//! opened under.

use tokio::time::{Instant, timeout_at};

use super::accept::Front;
use super::connection::Connection;
use super::gate::Gate;
use crate::config::Limits;

impl Front {
    /// The bounds in force.
    pub(super) fn limits(&self) -> Limits {
        self.gateway.rules.load().limits
    }

    /// The same, for the next request of a connection; none if it may have no more: the
    /// proxy that told its address is believed no longer.
    pub(super) fn limits_of(&self, connection: &Connection) -> Option<Limits> {
        let rules = self.gateway.rules.load();
        let believed = connection.told_by.is_none_or(|proxy| rules.trusts(proxy));
        believed.then_some(rules.limits)
    }

    /// Waits for the first byte of a request. False if none came in time, or none is waited
    /// for any more.
    pub(super) async fn begins(&self, gate: &mut Gate) -> bool {
        let since = Instant::now();
        let mut swaps = self.gateway.rules.swaps();
        let mut hang_up = self.hang_up.clone();
        loop {
            let Some(limits) = self.limits_of(gate.connection()) else {
                return false;
            };
            tokio::select! {
                biased;
                filled = timeout_at(since + limits.idle, gate.fill()) => {
                    return matches!(filled, Ok(Ok(true)));
                }
                _ = hang_up.wait_for(|now| *now) => return false,
                // The limits may be others now.
                _ = swaps.changed() => {}
            }
        }
    }
}
