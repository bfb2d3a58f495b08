//! Where a client stands, and how it is told:
//! draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy` and `RateLimit`.

use std::fmt::Write as _;
use std::time::Duration;

use smallvec::SmallVec;

use super::gcra;
use crate::domain::RateRule;

/// What one rule has left for a client.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The rule.
    pub rule: RateRule,
    debt: u64,
}

impl Standing {
    pub(super) const fn new(rule: RateRule, debt: u64) -> Self {
        Self { rule, debt }
    }

    /// Requests that would pass at once.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        gcra::remaining(self.rule.quota, self.debt)
    }

    /// How long until one more passes; zero if one passes now.
    #[must_use]
    pub const fn wait(&self) -> Duration {
        Duration::from_nanos(gcra::wait(self.rule.quota, self.debt))
    }

    /// Until the next request passes if none does now, as `Retry-After` says; else until
    /// the quota is whole again.
    const fn reset(&self) -> Duration {
        if self.remaining() == 0 {
            self.wait()
        } else {
            Duration::from_nanos(self.debt)
        }
    }
}

/// What all rules that counted a request have left.
#[derive(Clone, Debug, Default)]
pub struct Standings(SmallVec<[Standing; 2]>);

impl Standings {
    /// Takes in what was found last; a rule that is there already is told anew.
    pub fn update(&mut self, latest: impl IntoIterator<Item = Standing>) {
        for standing in latest {
            match self
                .0
                .iter_mut()
                .find(|old| old.rule.id == standing.rule.id)
            {
                Some(old) => *old = standing,
                None => self.0.push(standing),
            }
        }
    }

    /// Whether no rule counted the request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of `RateLimit-Policy`. A burst is a quota of its own: so many in the time
    /// that they take to come back.
    #[must_use]
    pub fn policy(&self) -> String {
        self.list(|text, standing| {
            let quota = standing.rule.quota;
            let window = whole_seconds(Duration::from_nanos(quota.capacity()));
            write!(text, ";q={};w={}", quota.burst(), window.max(1))
        })
    }

    /// The value of `RateLimit`.
    #[must_use]
    pub fn limit(&self) -> String {
        self.list(|text, standing| {
            let reset = whole_seconds(standing.reset());
            write!(text, ";r={};t={reset}", standing.remaining())
        })
    }

    /// A list of strings with parameters (RFC 9651).
    fn list(&self, parameters: impl Fn(&mut String, &Standing) -> std::fmt::Result) -> String {
        let mut text = String::with_capacity(self.0.len() * 40);
        for standing in &self.0 {
            if !text.is_empty() {
                text.push_str(", ");
            }
            // Writing to a string does not fail.
            let _ = write!(text, "\"{}\"", standing.rule.name());
            let _ = parameters(&mut text, standing);
        }
        text
    }
}

/// Rounded up: a client that comes back then is not too early.
pub(super) const fn whole_seconds(duration: Duration) -> u64 {
    let up = if duration.subsec_nanos() > 0 { 1 } else { 0 };
    duration.as_secs() + up
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Dimension, Quota, RateUnit, Rates};

    const SECOND: u64 = 1_000_000_000;

    fn standing(limit: u32, unit: RateUnit, burst: u32, debt: u64) -> Standing {
        let quota = Quota::new(limit, unit, burst).unwrap();
        let rates = Rates::of_all(&[(Dimension::Key, quota)]);
        Standing::new(*rates.iter().next().unwrap(), debt)
    }

    fn told(standing: Standing) -> String {
        let mut standings = Standings::default();
        standings.update([standing]);
        format!("{} | {}", standings.policy(), standings.limit())
    }

    #[test]
    fn clients_are_told_what_is_left_and_when_it_comes_back() {
        let cases = [
            standing(100, RateUnit::Second, 100, 0),
            standing(600, RateUnit::Minute, 600, 30 * SECOND + 1),
            standing(600, RateUnit::Minute, 600, 60 * SECOND),
            standing(1, RateUnit::Hour, 1, 3600 * SECOND),
            standing(100, RateUnit::Second, 250, SECOND),
        ];
        insta::assert_snapshot!(cases.map(told).join("\n"), @r#"
        "key";q=100;w=1 | "key";r=100;t=0
        "key";q=600;w=60 | "key";r=299;t=31
        "key";q=600;w=60 | "key";r=0;t=1
        "key";q=1;w=3600 | "key";r=0;t=3600
        "key";q=250;w=3 | "key";r=150;t=1
        "#);
    }

    #[test]
    fn a_rule_is_told_once() {
        let mut standings = Standings::default();
        standings.update([standing(10, RateUnit::Second, 10, 0)]);
        standings.update([standing(10, RateUnit::Second, 10, SECOND)]);
        assert_eq!(standings.limit(), "\"key\";r=0;t=1");
    }
}
