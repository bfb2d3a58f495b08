//! The generic cell rate algorithm, as pure arithmetic.
//!
//! A counter is one number: the moment at which it will be as if unused, in nanoseconds.
//! What lies between now and then is its debt; each request adds an interval to it, and it
//! may never exceed the quota's capacity. So at most `burst` requests pass at once, and in
//! any span of time at most `burst` and one more for each whole interval in it.

use crate::domain::Quota;

/// How far from unused, in nanoseconds. Time that runs backwards can only raise it.
pub(super) const fn debt(unused_at: u64, now: u64) -> u64 {
    unused_at.saturating_sub(now)
}

/// Whether one more request passes.
pub(super) const fn admits(quota: Quota, debt: u64) -> bool {
    debt.saturating_add(quota.interval()) <= quota.capacity()
}

/// What a request that was held since `held` nanoseconds ago gives back.
///
/// Less than it took, for meanwhile the counter filled up, which a full one would not have:
/// giving back all of it would let more pass than the quota says.
pub(super) const fn refund(quota: Quota, held: u64) -> u64 {
    quota.interval().saturating_sub(held)
}

/// How many requests would pass now.
pub(super) const fn remaining(quota: Quota, debt: u64) -> u64 {
    quota.capacity().saturating_sub(debt) / quota.interval()
}

/// Nanoseconds until one more request passes.
pub(super) const fn wait(quota: Quota, debt: u64) -> u64 {
    debt.saturating_add(quota.interval())
        .saturating_sub(quota.capacity())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::RateUnit;

    const SECOND: u64 = 1_000_000_000;

    fn quota(limit: u32, burst: u32) -> Quota {
        Quota::new(limit, RateUnit::Second, burst).unwrap()
    }

    /// A counter, and the moments at which it let requests pass.
    struct Counter {
        quota: Quota,
        unused_at: u64,
        passed: Vec<u64>,
    }

    impl Counter {
        fn new(quota: Quota) -> Self {
            Self {
                quota,
                unused_at: 0,
                passed: Vec::new(),
            }
        }

        fn take(&mut self, now: u64) -> bool {
            let debt = debt(self.unused_at, now);
            let admitted = admits(self.quota, debt);
            if admitted {
                self.unused_at = now + debt + self.quota.interval();
                self.passed.push(now);
            }
            admitted
        }

        fn give_back(&mut self, taken_at: u64, now: u64) {
            let at = self.passed.iter().rposition(|at| *at == taken_at).unwrap();
            self.passed.remove(at);
            self.unused_at -= refund(self.quota, now - taken_at);
        }
    }

    /// The most that passed in a span of time beyond what the quota allows there.
    fn excess(quota: Quota, passed: &[u64]) -> i128 {
        let spans =
            (0..passed.len()).flat_map(|first| (first..passed.len()).map(move |l| (first, l)));
        let excess = spans.map(|(first, last)| {
            let allowed =
                u64::from(quota.burst()) + (passed[last] - passed[first]) / quota.interval();
            (last - first + 1) as i128 - i128::from(allowed)
        });
        excess.max().unwrap_or(0)
    }

    #[test]
    fn a_burst_passes_at_once_then_one_each_interval() {
        let mut counter = Counter::new(quota(10, 3));
        let now = 7 * SECOND;
        let at_once = (0..5).filter(|_| counter.take(now)).count();
        assert_eq!(at_once, 3);
        let debt_now = debt(counter.unused_at, now);
        assert_eq!(remaining(counter.quota, debt_now), 0);
        assert_eq!(wait(counter.quota, debt_now), SECOND / 10);
        assert!(!counter.take(now + SECOND / 10 - 1));
        assert!(counter.take(now + SECOND / 10));
        assert!(!counter.take(now + SECOND / 10));
        assert_eq!((0..9).filter(|_| counter.take(now + 9 * SECOND)).count(), 3);
    }

    #[test]
    fn time_that_runs_backwards_opens_nothing_and_locks_out_no_longer_than_it_jumped() {
        let mut counter = Counter::new(quota(1, 2));
        let now = 100 * SECOND;
        assert!(counter.take(now) && counter.take(now) && !counter.take(now));
        let jumped = now - 30 * SECOND;
        assert!(!counter.take(jumped));
        assert_eq!(
            wait(counter.quota, debt(counter.unused_at, jumped)),
            31 * SECOND
        );
        assert!(!counter.take(now));
        assert!(counter.take(now + SECOND));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let mut counter = Counter::new(quota(1, 1));
        assert!(counter.take(SECOND) && !counter.take(SECOND));
        counter.give_back(SECOND, SECOND);
        assert!(counter.take(SECOND) && !counter.take(SECOND));
    }

    proptest! {
        #[test]
        fn no_span_of_time_lets_more_pass_than_the_quota(
            limit in 1_u32..2000,
            burst in 1_u32..20,
            steps in prop::collection::vec((0_u64..2_000_000, prop::bool::weighted(0.3), 0_u64..3_000_000), 1..120),
        ) {
            let quota = quota(limit, burst);
            let mut counter = Counter::new(quota);
            let mut held: Vec<(u64, u64)> = Vec::new();
            let mut now = SECOND;
            for (pause, gives_back, hold) in steps {
                now += pause;
                held.retain(|&(taken_at, until)| {
                    if until <= now {
                        counter.give_back(taken_at, now);
                    }
                    until > now
                });
                if counter.take(now) && gives_back {
                    held.push((now, now + hold));
                }
            }
            // A request still held has not passed yet, but may.
            prop_assert!(excess(quota, &counter.passed) <= 0);
        }

        #[test]
        fn a_steady_client_at_the_limit_is_never_refused(limit in 1_u32..5000, burst in 1_u32..5) {
            let quota = quota(limit, burst);
            let mut counter = Counter::new(quota);
            for n in 0..200 {
                prop_assert!(counter.take(SECOND + n * quota.interval()));
            }
        }
    }
}
