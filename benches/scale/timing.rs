//! Times, and what is said of many of them.

use std::time::{Duration, Instant};

use portcullis::clock::Clock;

pub fn now() -> Instant {
    Clock::system().instant()
}

/// Times of one kind.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Notes how long something took, and gives what came of it.
    pub fn of<T>(&mut self, what: impl FnOnce() -> T) -> T {
        let begin = now();
        let done = what();
        self.add(now() - begin);
        done
    }

    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// So many of a thousand took no longer.
    pub fn quantile(&self, of_thousand: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let at = (sorted.len() * of_thousand)
            .div_ceil(1000)
            .saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }

    pub fn p50(&self) -> Duration {
        self.quantile(500)
    }

    pub fn p99(&self) -> Duration {
        self.quantile(990)
    }
}
