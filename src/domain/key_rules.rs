//! What a tenant asks of the keys that it is used with.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Longest life of a key that a tenant can name, in days.
const MOST_DAYS: u16 = 3650;

/// Rules for keys. What is absent is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyRules {
    /// After how many days a key ends for which nobody has said when.
    pub default_days: Option<u16>,
    /// For how many days a key is good here, whatever it says itself.
    pub max_days: Option<u16>,
    /// Keys made since then open nothing here before somebody has approved them.
    pub approval_since: Option<DateTime<Utc>>,
    /// Keys made before open nothing here: all of them were revoked in one call.
    pub not_before: Option<DateTime<Utc>>,
}

/// Why a key opens nothing in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClosed {
    /// It awaits approval.
    Pending,
    /// It is older than keys may be here.
    Old,
    /// All keys of before were revoked here.
    CutOff,
}

/// A value is out of its bounds; says which and what they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreasonableKeyRules(String);

/// A key is to end later than a tenant lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("keys end after {0} days at most here")]
pub struct LastsTooLong(u16);

impl KeyRules {
    /// Checks all values.
    ///
    /// # Errors
    ///
    /// Names every one that is out of its bounds.
    pub fn check(&self) -> Result<(), UnreasonableKeyRules> {
        let mut wrong = Vec::new();
        for (name, days) in [
            ("default_days", self.default_days),
            ("max_days", self.max_days),
        ] {
            if days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
                wrong.push(format!("`{name}` must be between 1 and {MOST_DAYS}"));
            }
        }
        if let (Some(default), Some(max)) = (self.default_days, self.max_days)
            && default > max
        {
            wrong.push("`default_days` must not be above `max_days`".to_owned());
        }
        match &*wrong {
            [] => Ok(()),
            _ => Err(UnreasonableKeyRules(wrong.join("; "))),
        }
    }

    /// When a new key ends by the rules of all tenants that it is for.
    ///
    /// # Errors
    ///
    /// [`LastsTooLong`] for one that is asked to end later.
    pub fn end_of<'r>(
        all: impl Iterator<Item = &'r Self> + Clone,
        wanted: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, LastsTooLong> {
        let after = |days: u16| now + TimeDelta::days(days.into());
        let max = all.clone().filter_map(|rules| rules.max_days).min();
        if let (Some(wanted), Some(max)) = (wanted, max)
            && wanted > after(max)
        {
            return Err(LastsTooLong(max));
        }
        let default = all.filter_map(|rules| rules.default_days).min();
        let unsaid = default.into_iter().chain(max).min().map(after);
        Ok(wanted.or(unsaid))
    }

    /// Whether a key made then is good here now.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn admits(
        &self,
        made: DateTime<Utc>,
        is_approved: bool,
        now: DateTime<Utc>,
    ) -> Result<(), KeyClosed> {
        if self.not_before.is_some_and(|first| made < first) {
            return Err(KeyClosed::CutOff);
        }
        if let Some(days) = self.max_days
            && now >= made + TimeDelta::days(days.into())
        {
            return Err(KeyClosed::Old);
        }
        if !is_approved && self.approval_since.is_some_and(|since| made >= since) {
            return Err(KeyClosed::Pending);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(n)
    }

    fn rules(default_days: Option<u16>, max_days: Option<u16>) -> KeyRules {
        KeyRules {
            default_days,
            max_days,
            ..KeyRules::default()
        }
    }

    #[test]
    fn the_shortest_life_wins_and_none_is_longer_than_the_longest() {
        let end = |all: &[KeyRules], wanted: Option<i64>| {
            KeyRules::end_of(all.iter(), wanted.map(day), day(0))
        };
        assert_eq!(end(&[], None), Ok(None));
        assert_eq!(end(&[], Some(9000)), Ok(Some(day(9000))));
        let all = [rules(Some(30), None), rules(Some(7), Some(90))];
        assert_eq!(end(&all, None), Ok(Some(day(7))));
        assert_eq!(end(&all, Some(90)), Ok(Some(day(90))));
        assert_eq!(end(&all, Some(91)), Err(LastsTooLong(90)));
        assert_eq!(end(&[rules(None, Some(5))], None), Ok(Some(day(5))));
    }

    #[test]
    fn a_key_is_good_from_its_approval_until_its_end() {
        let all = KeyRules {
            max_days: Some(10),
            approval_since: Some(day(100)),
            not_before: Some(day(95)),
            ..KeyRules::default()
        };
        let is = |made: i64, approved, now: i64| all.admits(day(made), approved, day(now));
        assert_eq!(is(94, true, 94), Err(KeyClosed::CutOff));
        assert_eq!(is(95, false, 96), Ok(()), "it is no new one");
        assert_eq!(is(99, false, 108), Ok(()));
        assert_eq!(is(99, false, 109), Err(KeyClosed::Old));
        assert_eq!(is(100, false, 101), Err(KeyClosed::Pending));
        assert_eq!(is(100, true, 101), Ok(()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(rules(Some(1), Some(3650)).check().is_ok());
        for (default, max) in [(Some(0), None), (None, Some(3651)), (Some(8), Some(7))] {
            assert!(rules(default, max).check().is_err(), "{default:?} {max:?}");
        }
    }
}
