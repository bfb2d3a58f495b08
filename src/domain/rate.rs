//! Rate limits as an operator states them: how many requests, of whom, in what time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Of whom requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The client's address; of IPv6 its /64.
    Address,
    /// The principal, whatever key it uses.
    Principal,
    /// The API key.
    Key,
    /// The tenant of the project that the request is about.
    Tenant,
}

impl Dimension {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::Address, Self::Principal, Self::Key, Self::Tenant];

    /// The word used in YAML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Principal => "principal",
            Self::Key => "key",
            Self::Tenant => "tenant",
        }
    }
}

/// The unit of time of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateUnit {
    /// `/s`
    Second,
    /// `/m`
    Minute,
    /// `/h`
    Hour,
    /// `/d`
    Day,
}

impl RateUnit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    /// The letter used in YAML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
        }
    }

    const fn nanoseconds(self) -> u64 {
        let seconds = match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        };
        seconds * 1_000_000_000
    }
}

/// So many requests at once, then one each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: u32,
    unit: RateUnit,
    burst: u32,
}

/// A burst that takes too long to come back, or nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a burst of {burst} at {limit}/{} takes more than {} days to come back", unit.as_str(), Quota::LONGEST.as_secs() / 86_400)]
pub struct UnreasonableQuota {
    limit: u32,
    unit: RateUnit,
    burst: u32,
}

impl Quota {
    /// Most requests a unit of time, and at once.
    pub const MOST: u32 = 1_000_000;
    /// Longest time in which a spent burst comes back.
    pub const LONGEST: Duration = Duration::from_hours(365 * 24);

    /// `limit` requests a `unit`, `burst` of them at once.
    ///
    /// # Errors
    ///
    /// [`UnreasonableQuota`] when a number is 0, above [`Self::MOST`], or the burst takes
    /// longer than [`Self::LONGEST`] to come back.
    pub fn new(limit: u32, unit: RateUnit, burst: u32) -> Result<Self, UnreasonableQuota> {
        let bounds = 1..=Self::MOST;
        let quota = Self { limit, unit, burst };
        let reasonable = bounds.contains(&limit)
            && bounds.contains(&burst)
            && u128::from(quota.interval()) * u128::from(burst) <= Self::LONGEST.as_nanos();
        let unreasonable = UnreasonableQuota { limit, unit, burst };
        reasonable.then_some(quota).ok_or(unreasonable)
    }

    /// Nanoseconds in which one request comes back: rounded up, so never more than the
    /// limit come back in a unit of time.
    #[must_use]
    pub const fn interval(self) -> u64 {
        self.unit.nanoseconds().div_ceil(self.limit as u64)
    }

    /// Nanoseconds in which a whole burst comes back.
    #[must_use]
    pub const fn capacity(self) -> u64 {
        self.interval() * self.burst as u64
    }

    /// Requests at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.limit, self.unit.as_str())?;
        if self.burst != self.limit {
            write!(f, " (burst {})", self.burst)?;
        }
        Ok(())
    }
}

/// Text that is no quota.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no limit; write a whole number, `/` and s, m, h or d, as in `100/s`")]
pub struct MalformedQuota(String);

impl FromStr for Quota {
    type Err = MalformedQuota;

    /// `100/s`: with a burst of as many.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || MalformedQuota(text.to_owned());
        let (number, letter) = text.split_once('/').ok_or_else(malformed)?;
        let mut units = RateUnit::ALL.into_iter();
        let unit = units.find(|unit| unit.as_str() == letter);
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let limit = number.parse().ok().filter(|_| is_plain);
        let (limit, unit) = limit.zip(unit).ok_or_else(malformed)?;
        Self::new(limit, unit, limit).map_err(|_| malformed())
    }
}

impl Serialize for Quota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What tells one rule's counters from another's. It follows from what the rule says, so
/// that it outlives a reload and is the same in every instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(pub [u8; 16]);

/// One rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateRule {
    /// Whose counters.
    pub id: RuleId,
    /// Of whom.
    pub dimension: Dimension,
    /// How much.
    pub quota: Quota,
    /// Of one route, or of all requests.
    pub of_route: bool,
}

impl RateRule {
    /// Names of all possible rules, for metrics.
    pub const NAMES: [&'static str; 8] = [
        "address",
        "principal",
        "key",
        "tenant",
        "route-address",
        "route-principal",
        "route-key",
        "route-tenant",
    ];

    /// Its place in [`Self::NAMES`].
    #[must_use]
    pub const fn index(self) -> usize {
        let offset = if self.of_route {
            Dimension::ALL.len()
        } else {
            0
        };
        self.dimension as usize + offset
    }

    /// What clients, operators and auditors read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self.index()]
    }
}

/// The rules of a `rate:`, at most one a dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(Box<[RateRule]>);

impl Rates {
    /// The rules for all requests.
    #[must_use]
    pub fn of_all(quotas: &[(Dimension, Quota)]) -> Self {
        Self::new(quotas, false, &[])
    }

    /// The rules of the one route that has this name: its label, and its hosts.
    #[must_use]
    pub fn of_route(quotas: &[(Dimension, Quota)], name: &[&str]) -> Self {
        Self::new(quotas, true, name)
    }

    /// The rule of one key, which is its own.
    #[must_use]
    pub fn of_key(quota: Quota) -> RateRule {
        RateRule {
            id: rule_id(&["key's own"], Dimension::Key, quota),
            dimension: Dimension::Key,
            quota,
            of_route: false,
        }
    }

    fn new(quotas: &[(Dimension, Quota)], of_route: bool, name: &[&str]) -> Self {
        let rules = quotas.iter().map(|&(dimension, quota)| RateRule {
            id: rule_id(name, dimension, quota),
            dimension,
            quota,
            of_route,
        });
        Self(rules.collect())
    }

    /// The rules.
    pub fn iter(&self) -> impl Iterator<Item = &RateRule> {
        self.0.iter()
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, rule) in self.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{} {}", rule.dimension.as_str(), rule.quota)?;
        }
        Ok(())
    }
}

/// Every part with its length: no two rules say the same in different cuts.
fn rule_id(name: &[&str], dimension: Dimension, quota: Quota) -> RuleId {
    let mut hash = Sha256::new();
    let quota = quota.to_string();
    for part in name.iter().chain([&dimension.as_str(), &&*quota]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    RuleId(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(limit: u32, unit: RateUnit, burst: u32) -> Quota {
        Quota::new(limit, unit, burst).unwrap()
    }

    #[test]
    fn a_quota_never_gives_back_more_than_its_limit() {
        for limit in [1, 3, 7, 999, 999_999, 1_000_000] {
            let second = quota(limit, RateUnit::Second, 1);
            assert!(second.interval() * u64::from(limit) >= 1_000_000_000);
        }
        assert_eq!(quota(600, RateUnit::Minute, 1).interval(), 100_000_000);
    }

    #[test]
    fn a_quota_is_read_as_it_is_written() {
        for text in ["1/s", "100/m", "1000000/h", "5/d"] {
            assert_eq!(text.parse::<Quota>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "/",
            "1",
            "1/",
            "/s",
            "0/s",
            "+1/s",
            "1/w",
            "1 /s",
            "1/S",
            "1000001/s",
            "1/s/s",
            "99999999999999999999/s",
            "366/d ",
        ] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
    }

    #[test]
    fn quotas_without_a_meaning_are_refused() {
        assert!(Quota::new(0, RateUnit::Second, 1).is_err());
        assert!(Quota::new(1, RateUnit::Second, 0).is_err());
        assert!(Quota::new(1, RateUnit::Day, 365).is_ok());
        assert!(Quota::new(1, RateUnit::Day, 366).is_err());
    }

    #[test]
    fn an_id_follows_from_what_the_rule_says() {
        let ten = quota(10, RateUnit::Second, 10);
        let id = |name: &[&str], dimension, quota| {
            let rates = Rates::of_route(&[(dimension, quota)], name);
            rates.0[0].id
        };
        let first = id(&["GET /a", "h"], Dimension::Key, ten);
        assert_eq!(first, id(&["GET /a", "h"], Dimension::Key, ten));
        assert_ne!(first, id(&["GET /a"], Dimension::Key, ten));
        assert_ne!(first, id(&["GET /ah"], Dimension::Key, ten));
        assert_ne!(first, id(&["GET /a", "h"], Dimension::Tenant, ten));
        let other = quota(10, RateUnit::Minute, 10);
        assert_ne!(first, id(&["GET /a", "h"], Dimension::Key, other));
    }

    #[test]
    fn rates_are_shown_as_they_are_written() {
        let rates = Rates::of_all(&[
            (Dimension::Address, quota(100, RateUnit::Second, 100)),
            (Dimension::Key, quota(5, RateUnit::Hour, 20)),
        ]);
        assert_eq!(rates.to_string(), "address 100/s, key 5/h (burst 20)");
    }
}
