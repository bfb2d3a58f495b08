//! Passive health: an address that leaves requests without an answer is left alone.
//!
//! ```text
//!            `failures` in a row            the cool-down is over
//!   closed ──────────────────────▶ open ──────────────────────────▶ one request tries
//!      ▲                            ▲                                      │
//!      └── an answer, whatever its  └──────────── no answer ───────────────┤
//!          status ◀────────────────────────────────────────────────────────┘
//! ```
//!
//! What counts as no answer is said by whoever calls [`Circuits::failed`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntGaugeVec;

use crate::clock::Clock;
use crate::config::Circuit;

/// The circuits of an upstream's addresses.
pub(super) struct Circuits {
    upstream: Arc<str>,
    settings: Circuit,
    clock: Clock,
    gauge: IntGaugeVec,
    /// Addresses whose last request got no answer; others need no entry.
    troubled: Mutex<HashMap<SocketAddr, Trouble>>,
    /// Whether there is one: requests to a sound upstream take no lock.
    any: AtomicBool,
}

/// What is held against an address.
#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
    /// Open until then.
    until: Option<Instant>,
}

impl Circuits {
    pub(super) fn new(
        upstream: Arc<str>,
        settings: Circuit,
        clock: Clock,
        gauge: IntGaugeVec,
    ) -> Self {
        Self {
            upstream,
            settings,
            clock,
            gauge,
            troubled: Mutex::default(),
            any: AtomicBool::new(false),
        }
    }

    /// Whether a request may be sent there. After the cool-down one may try; if nothing
    /// is heard of it, another may after as long again.
    pub(super) fn admits(&self, address: &SocketAddr) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return true;
        }
        let mut troubled = self.troubled();
        let Some(until) = troubled.get_mut(address).and_then(|it| it.until.as_mut()) else {
            return true;
        };
        let now = self.clock.instant();
        if now < *until {
            return false;
        }
        *until = now + self.settings.cooldown;
        true
    }

    /// An answer came.
    pub(super) fn answered(&self, address: &SocketAddr) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut troubled = self.troubled();
        let was_open = troubled
            .remove(address)
            .is_some_and(|it| it.until.is_some());
        self.any.store(!troubled.is_empty(), Ordering::Relaxed);
        drop(troubled);
        if was_open {
            tracing::info!(upstream = %self.upstream, %address, "it answers again");
            self.hide(address);
        }
    }

    /// No answer came.
    pub(super) fn failed(&self, address: &SocketAddr) {
        let mut troubled = self.troubled();
        let trouble = troubled.entry(*address).or_default();
        trouble.failures = trouble.failures.saturating_add(1);
        let opens = trouble.failures >= self.settings.failures;
        let was_open = trouble.until.is_some();
        if opens {
            trouble.until = Some(self.clock.instant() + self.settings.cooldown);
        }
        self.any.store(true, Ordering::Relaxed);
        drop(troubled);
        if opens && !was_open {
            tracing::warn!(upstream = %self.upstream, %address, "no answers: it is left alone");
            self.gauge
                .with_label_values(&[&self.upstream, &*address.to_string()])
                .set(1);
        }
    }

    /// How long until one of these may be tried.
    pub(super) fn wait(&self, addresses: impl Iterator<Item = SocketAddr>) -> Option<Duration> {
        let troubled = self.troubled();
        let now = self.clock.instant();
        let until = |address| troubled.get(&address)?.until;
        let first = addresses.filter_map(until).min()?;
        Some(first.saturating_duration_since(now))
    }

    /// Forgets addresses that are no more.
    pub(super) fn retain(&self, exists: impl Fn(&SocketAddr) -> bool) {
        let mut troubled = self.troubled();
        for (gone, _) in troubled.extract_if(|address, _| !exists(address)) {
            self.hide(&gone);
        }
        self.any.store(!troubled.is_empty(), Ordering::Relaxed);
    }

    /// Addresses come and go with names: only open ones are metrics.
    fn hide(&self, address: &SocketAddr) {
        let labels = [&*self.upstream, &*address.to_string()];
        // An error: it was none.
        let _ = self.gauge.remove_label_values(&labels);
    }

    fn troubled(&self) -> MutexGuard<'_, HashMap<SocketAddr, Trouble>> {
        self.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Circuits {
    fn drop(&mut self) {
        self.retain(|_| false);
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use prometheus::Opts;

    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(10);

    struct Bench {
        circuits: Circuits,
        clock: Clock,
        gauge: IntGaugeVec,
    }

    fn bench() -> Bench {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let gauge = IntGaugeVec::new(Opts::new("open", "Open."), &["upstream", "address"]).unwrap();
        let settings = Circuit {
            failures: 3,
            cooldown: COOLDOWN,
        };
        let circuits = Circuits::new("app".into(), settings, clock.clone(), gauge.clone());
        Bench {
            circuits,
            clock,
            gauge,
        }
    }

    fn address(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 80).into()
    }

    impl Bench {
        fn fail(&self, times: usize) {
            (0..times).for_each(|_| self.circuits.failed(&address(1)));
        }

        fn admits(&self) -> bool {
            self.circuits.admits(&address(1))
        }

        /// How many addresses the metric names.
        fn shown(&self) -> usize {
            prometheus::core::Collector::collect(&self.gauge)[0]
                .get_metric()
                .len()
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
        let bench = bench();
        bench.fail(2);
        assert!(bench.admits());
        bench.circuits.answered(&address(1));
        bench.fail(2);
        assert!(bench.admits());
        assert_eq!(bench.shown(), 0);
        bench.fail(1);
        assert!(!bench.admits());
        assert!(bench.circuits.admits(&address(2)), "another is another");
        assert_eq!(bench.shown(), 1);
    }

    #[test]
    fn after_the_cool_down_one_tries_and_its_answer_closes_it() {
        let bench = bench();
        bench.fail(3);
        bench
            .clock
            .advance(COOLDOWN.checked_sub(Duration::from_millis(1)).unwrap());
        assert!(!bench.admits());
        bench.clock.advance(Duration::from_millis(1));
        assert!(bench.admits(), "the one");
        assert!(!bench.admits(), "a second");
        bench.circuits.answered(&address(1));
        assert!(bench.admits() && bench.admits());
        assert_eq!(bench.shown(), 0);
        bench.fail(2);
        assert!(bench.admits(), "it counts from the beginning");
    }

    #[test]
    fn one_that_tries_and_fails_opens_it_for_as_long_again() {
        let bench = bench();
        bench.fail(3);
        bench.clock.advance(COOLDOWN);
        assert!(bench.admits());
        bench.clock.advance(Duration::from_secs(1));
        bench.fail(1);
        bench
            .clock
            .advance(COOLDOWN.checked_sub(Duration::from_secs(1)).unwrap());
        assert!(!bench.admits());
        bench.clock.advance(Duration::from_secs(1));
        assert!(bench.admits());
    }

    #[test]
    fn one_that_tries_and_is_never_heard_of_does_not_keep_it_open() {
        let bench = bench();
        bench.fail(3);
        bench.clock.advance(COOLDOWN);
        assert!(bench.admits());
        bench.clock.advance(COOLDOWN);
        assert!(bench.admits());
    }

    #[test]
    fn the_first_to_be_tried_again_says_how_long_to_wait() {
        let bench = bench();
        bench.fail(3);
        bench.clock.advance(Duration::from_secs(4));
        (0..3).for_each(|_| bench.circuits.failed(&address(2)));
        let wait = |last: &[u8]| bench.circuits.wait(last.iter().map(|last| address(*last)));
        assert_eq!(wait(&[1, 2]), Some(Duration::from_secs(6)));
        assert_eq!(wait(&[2]), Some(COOLDOWN));
        assert_eq!(wait(&[3]), None);
    }

    #[test]
    fn an_address_that_is_gone_is_forgotten() {
        let bench = bench();
        bench.fail(3);
        bench.circuits.retain(|gone| *gone == address(2));
        assert!(bench.admits());
        assert_eq!(bench.shown(), 0);
    }
}
