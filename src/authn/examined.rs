//! What is found when a provider is looked at before anybody signs in there.

use std::fmt::Display;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// From so long before its end on, a certificate is worth a word.
const SOON: TimeDelta = TimeDelta::days(30);

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but will not for long, or not for all.
    Warning,
    /// Nobody can sign in like this.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// What.
    pub what: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, and what to do about it.
    pub found: String,
}

impl Examined {
    pub(super) fn new(what: &str, verdict: Verdict, found: impl Display) -> Self {
        Self {
            what: what.to_owned(),
            verdict,
            found: format!("{found}"),
        }
    }

    pub(super) fn ok(what: &str, found: impl Display) -> Self {
        Self::new(what, Verdict::Ok, found)
    }

    pub(super) fn wrong(what: &str, found: impl Display) -> Self {
        Self::new(what, Verdict::Wrong, found)
    }

    /// A certificate, by when it ends.
    pub(super) fn certificate(
        what: &str,
        (fingerprint, not_after): (&str, DateTime<Utc>),
        now: DateTime<Utc>,
    ) -> Self {
        let date = not_after.format("%Y-%m-%d");
        let (verdict, told) = if not_after <= now {
            let told = "its key is trusted still; have a new one made";
            (Verdict::Warning, format!("expired on {date}; {told}"))
        } else if not_after - now < SOON {
            let days = (not_after - now).num_days();
            let told = format!("expires on {date}, in {days} days; have a new one made");
            (Verdict::Warning, told)
        } else {
            (Verdict::Ok, format!("expires on {date}"))
        };
        Self::new(what, verdict, format!("SHA-256 {fingerprint}; {told}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_worth_a_word_before_it_ends() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let verdict = |days| {
            let ends = now + TimeDelta::days(days);
            Examined::certificate("it", ("00", ends), now).verdict
        };
        assert_eq!(verdict(31), Verdict::Ok);
        assert_eq!(verdict(29), Verdict::Warning);
        assert_eq!(verdict(0), Verdict::Warning);
        assert_eq!(verdict(-1), Verdict::Warning);
    }
}
