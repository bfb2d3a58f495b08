//! How long somebody waits who has guessed wrong.
//!
//! An account is never locked as such, or anybody could lock out its owner: what is slowed down
//! are attempts on it from one network, and all attempts of a network. Who has signed in before
//! with the same browser is neither's: others in their network do not keep them out.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::{Failures, LockedOut};

/// For how long an attempt counts.
const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// Attempts on one account from one network before each doubles the wait.
const FREE: i64 = 5;
/// Attempts of one network on any account.
const MOST_OF_SOURCE: i64 = 100;

/// The rule at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    now: DateTime<Utc>,
}

impl Throttle {
    pub(super) const fn at(now: DateTime<Utc>) -> Self {
        Self { now }
    }

    /// What was tried before is forgotten.
    pub(super) fn since(self) -> DateTime<Utc> {
        self.now - WINDOW
    }

    /// Who has to wait, if somebody has.
    pub(super) const fn whose(failures: &Failures) -> LockedOut {
        if failures.source >= MOST_OF_SOURCE {
            LockedOut::Source
        } else {
            LockedOut::Account
        }
    }

    /// Seconds until the next attempt is looked at; `None`: now.
    pub(super) fn wait(self, failures: &Failures) -> Option<u64> {
        if failures.source >= MOST_OF_SOURCE {
            return u64::try_from(WINDOW.num_seconds()).ok();
        }
        let over = u32::try_from(failures.here - FREE).ok()?;
        let most = WINDOW.num_seconds();
        let wait = 1_i64
            .checked_shl(over.min(20))
            .map_or(most, |wait| wait.min(most));
        let until = failures.last_at? + TimeDelta::seconds(wait);
        let left = (until - self.now).num_seconds();
        u64::try_from(left).ok().filter(|left| *left > 0)
    }
}

/// The network that an address stands for: of IPv6 the first 64 bits, for whoever has one
/// address has them all.
pub(super) fn source(ip: Option<IpAddr>) -> String {
    match ip.map(|ip| ip.to_canonical()) {
        None => String::new(),
        Some(IpAddr::V4(v4)) => v4.to_string(),
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(here: i64, source: i64, ago: i64) -> Option<u64> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        Throttle::at(now).wait(&Failures {
            here,
            last_at: Some(now - TimeDelta::seconds(ago)),
            source,
        })
    }

    #[test]
    fn a_few_mistakes_are_free_and_then_each_doubles_the_wait() {
        assert_eq!(wait(4, 4, 0), None);
        assert_eq!(wait(5, 5, 0), Some(1));
        assert_eq!(wait(8, 8, 0), Some(8));
        assert_eq!(wait(8, 8, 5), Some(3));
        assert_eq!(wait(8, 8, 8), None);
        assert_eq!(wait(1000, 50, 0), Some(900));
    }

    #[test]
    fn a_network_has_so_many_attempts_on_all_accounts() {
        assert_eq!(wait(0, 99, 0), None);
        assert_eq!(wait(0, 100, 0), Some(900));
    }

    #[test]
    fn a_network_counts_as_one() {
        let of = |text: &str| source(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::9"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
