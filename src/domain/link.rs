//! Links that work once, for who has no password or has forgotten it.

use std::fmt;

use chrono::TimeDelta;

/// What a link is for. Either gives a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Somebody is new.
    Invitation,
    /// Somebody has forgotten theirs.
    Reset,
}

impl LinkPurpose {
    /// The word in SQL and audit events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Reset => "reset",
        }
    }

    /// How long it works.
    #[must_use]
    pub const fn life(self) -> TimeDelta {
        match self {
            Self::Invitation => TimeDelta::days(7),
            Self::Reset => TimeDelta::hours(1),
        }
    }
}

impl fmt::Display for LinkPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
