//! Counts requests, here or in Redis.

use std::time::Instant;

use prometheus::IntCounter;
use smallvec::SmallVec;

use super::counters::{Charged, Counters};
use super::shared::{RedisOptions, SharedCounters, WhenAway};
use super::standing::{Standing, Standings, whole_seconds};
use super::subject::Charge;
use crate::clock::Clock;
use crate::domain::RateRule;
use crate::telemetry::Metrics;

/// Counts the requests of all connections. It outlives a reload: a rule that stays the
/// same goes on counting where it was.
pub struct RateLimiter {
    counters: Counters,
    shared: Option<SharedCounters>,
    clock: Clock,
    /// Where the counters' time begins.
    origin: Instant,
    refused: [IntCounter; RateRule::NAMES.len()],
    fallbacks: IntCounter,
}

/// Why a request does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A rule has nothing left.
    Limited {
        /// Which.
        rule: RateRule,
        /// Whole seconds until one more passes, at least 1.
        retry_after: u64,
    },
    /// The counters cannot be asked, and the operator wants to know rather than to guess.
    Unknown,
}

/// What a request has taken so far, should it have to give it back.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    charges: SmallVec<[Charge; 1]>,
    at: TakenAt,
}

#[derive(Clone, Copy, Debug)]
enum TakenAt {
    /// Nanoseconds since the origin.
    Here(u64),
    /// Microseconds of Redis' own time.
    InRedis(i64),
}

impl Default for TakenAt {
    fn default() -> Self {
        Self::Here(0)
    }
}

impl RateLimiter {
    /// A limiter that has counted nothing.
    #[must_use]
    pub fn new(redis: Option<RedisOptions>, clock: Clock, metrics: &Metrics) -> Self {
        let shared = redis.map(|redis| SharedCounters::new(redis, metrics.rate.redis_up.clone()));
        Self {
            counters: Counters::new(metrics.rate.displaced.clone()),
            shared,
            origin: clock.instant(),
            clock,
            refused: RateRule::NAMES.map(|name| metrics.rate.limited(name)),
            fallbacks: metrics.rate.fallbacks.clone(),
        }
    }

    /// Keeps in touch with Redis, for ever; this runtime owns the connection.
    pub async fn run(&self) -> ! {
        match &self.shared {
            Some(shared) => shared.run().await,
            None => std::future::pending().await,
        }
    }

    /// Counts a request that may yet be refused by other rules: then [`Self::charge`] gives
    /// back what it has taken here.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: it must not go on.
    pub async fn hold(
        &self,
        asked: &[Charge],
        standings: &mut Standings,
    ) -> Result<Taken, Refusal> {
        self.hold_more(asked, Taken::default(), standings).await
    }

    /// As [`Self::hold`], of a request that has `taken` something before.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: it must not go on, and what it has taken is given back.
    pub async fn hold_more(
        &self,
        asked: &[Charge],
        mut taken: Taken,
        standings: &mut Standings,
    ) -> Result<Taken, Refusal> {
        let at = self.count(asked, &taken, standings).await?;
        if taken.charges.is_empty() {
            taken.at = at;
        }
        taken.charges.extend_from_slice(asked);
        Ok(taken)
    }

    /// Counts a request by all of `asked`. If one of them refuses it, none has counted it,
    /// and what it has `taken` before is given back. `standings` tells all of them.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: it must not go on.
    pub async fn charge(
        &self,
        asked: &[Charge],
        taken: Taken,
        standings: &mut Standings,
    ) -> Result<(), Refusal> {
        self.count(asked, &taken, standings).await?;
        Ok(())
    }

    async fn count(
        &self,
        asked: &[Charge],
        held: &Taken,
        standings: &mut Standings,
    ) -> Result<TakenAt, Refusal> {
        if asked.is_empty() {
            return Ok(TakenAt::default());
        }
        let (charged, at) = self.ask(asked, held).await?;
        let counted = asked.iter().chain(&held.charges).zip(&charged.debts);
        standings.update(counted.map(|(charge, debt)| Standing::new(charge.rule, *debt)));
        if charged.admitted {
            return Ok(at);
        }
        let refused = asked.iter().zip(&charged.debts);
        let refused = refused.map(|(charge, debt)| Standing::new(charge.rule, *debt));
        // The one that keeps it waiting longest: coming back sooner would be in vain.
        let longest = refused.max_by_key(Standing::wait).ok_or(Refusal::Unknown)?;
        self.refused[longest.rule.index()].inc();
        Err(Refusal::Limited {
            rule: longest.rule,
            retry_after: whole_seconds(longest.wait()).max(1),
        })
    }

    async fn ask(&self, asked: &[Charge], held: &Taken) -> Result<(Charged, TakenAt), Refusal> {
        if let Some(shared) = &self.shared {
            let (charges, taken_at) = match held.at {
                TakenAt::InRedis(at) => (&*held.charges, at),
                TakenAt::Here(_) => (&[][..], 0),
            };
            if let Ok(done) = shared.charge(asked, charges, taken_at).await {
                return Ok((done.charged, TakenAt::InRedis(done.now)));
            }
            self.fallbacks.inc();
            if shared.options.when_away == WhenAway::Refuse {
                return Err(Refusal::Unknown);
            }
        }
        Ok(self.ask_here(asked, held))
    }

    fn ask_here(&self, asked: &[Charge], held: &Taken) -> (Charged, TakenAt) {
        let now = self.now();
        let mut charged = self.counters.charge(now, asked);
        if let (false, TakenAt::Here(taken_at)) = (charged.admitted, held.at) {
            let given_back = held.charges.iter();
            let debts = given_back.map(|charge| self.counters.give_back(now, charge, taken_at));
            charged.debts.extend(debts);
        }
        (charged, TakenAt::Here(now))
    }

    /// Monotonic: a change of the machine's time changes nothing here.
    fn now(&self) -> u64 {
        let since = self.clock.instant().saturating_duration_since(self.origin);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use chrono::Utc;

    use super::*;
    use crate::domain::{Dimension, PrincipalId, Quota, RateUnit, Rates};
    use crate::rate::Subject;

    fn rule(dimension: Dimension, limit: u32, unit: RateUnit) -> RateRule {
        let quota = Quota::new(limit, unit, limit).unwrap();
        let rates = Rates::of_all(&[(dimension, quota)]);
        *rates.iter().next().unwrap()
    }

    fn limiter() -> (RateLimiter, Clock) {
        let clock = Clock::manual(chrono::DateTime::<Utc>::UNIX_EPOCH);
        let limiter = RateLimiter::new(None, clock.clone(), &Metrics::new());
        (limiter, clock)
    }

    fn address(limit: u32) -> Charge {
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        Charge {
            rule: rule(Dimension::Address, limit, RateUnit::Minute),
            subject: Subject::address(Some(ip)),
        }
    }

    fn principal(limit: u32) -> Charge {
        Charge {
            rule: rule(Dimension::Principal, limit, RateUnit::Minute),
            subject: Subject::principal(PrincipalId(uuid::Uuid::nil())),
        }
    }

    #[tokio::test]
    async fn a_request_refused_by_one_limit_does_not_spend_the_others() {
        let (limiter, _) = limiter();
        let (address, principal) = (address(5), principal(2));
        let mut passed = 0;
        for _ in 0..50 {
            let mut standings = Standings::default();
            let taken = limiter.hold(&[address], &mut standings).await;
            let taken = taken.expect("the address has something left");
            let second = limiter.charge(&[principal], taken, &mut standings).await;
            passed += usize::from(second.is_ok());
            if second.is_err() {
                assert_eq!(
                    standings.limit(),
                    r#""address";r=3;t=24, "principal";r=0;t=30"#
                );
            }
        }
        assert_eq!(passed, 2);
    }

    #[tokio::test]
    async fn a_refusal_names_the_rule_and_when_to_come_back() {
        let (limiter, clock) = limiter();
        let charge = principal(60);
        let ask = async || {
            let mut standings = Standings::default();
            limiter
                .charge(&[charge], Taken::default(), &mut standings)
                .await
        };
        for _ in 0..60 {
            ask().await.unwrap();
        }
        let refusal = Refusal::Limited {
            rule: charge.rule,
            retry_after: 1,
        };
        assert_eq!(ask().await, Err(refusal));
        clock.advance(Duration::from_millis(999));
        assert_eq!(ask().await, Err(refusal));
        clock.advance(Duration::from_millis(1));
        assert_eq!(ask().await, Ok(()));
        assert_eq!(ask().await, Err(refusal));
    }
}
