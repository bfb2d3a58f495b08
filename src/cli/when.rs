//! Moments as people write them: `30d`, `12h`, `2026-01-31T12:00:00Z`.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

/// A moment, or a distance from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    At(DateTime<Utc>),
    Distance(TimeDelta),
}

/// The text is no moment.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write a span like `90m`, `12h`, `30d`, `4w`, or a moment like `2026-01-31T12:00:00Z`")]
pub(super) struct MalformedWhen;

impl When {
    /// That long from now.
    pub(super) fn after(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Distance(span) => now.checked_add_signed(span).unwrap_or(now),
        }
    }

    /// That long ago.
    pub(super) fn before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Distance(span) => now.checked_sub_signed(span).unwrap_or(now),
        }
    }
}

impl FromStr for When {
    type Err = MalformedWhen;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        span(text).map(Self::Distance).ok_or(MalformedWhen)
    }
}

/// At most ten years' worth of digits, so that no sum overflows.
fn span(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last().filter(char::is_ascii)?;
    let count: i64 = text[..text.len() - 1].parse().ok()?;
    if !(1..=5_256_000).contains(&count) || text.starts_with('+') {
        return None;
    }
    match unit {
        's' => TimeDelta::try_seconds(count),
        'm' => TimeDelta::try_minutes(count),
        'h' => TimeDelta::try_hours(count),
        'd' => TimeDelta::try_days(count),
        'w' => TimeDelta::try_weeks(count),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments_are_read() {
        let now = DateTime::UNIX_EPOCH;
        let hour = "1h".parse::<When>().unwrap();
        assert_eq!(hour.after(now) - now, TimeDelta::hours(1));
        assert_eq!(now - hour.before(now), TimeDelta::hours(1));
        let at: When = "2026-01-31T12:00:00+01:00".parse().unwrap();
        assert_eq!(at.after(now).to_rfc3339(), "2026-01-31T11:00:00+00:00");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1",
            "1y",
            "1é",
            "99999999999999999999d",
        ] {
            assert_eq!(bad.parse::<When>(), Err(MalformedWhen), "{bad}");
        }
    }
}
