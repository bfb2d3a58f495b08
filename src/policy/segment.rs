//! One segment of a path pattern, and how segments of two patterns relate.

use std::fmt;

/// One segment of a [`Pattern`](super::Pattern).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this text.
    Literal(Box<str>),
    /// A non-empty value between a literal prefix and a literal suffix, both mostly empty.
    Param {
        /// What the value is called.
        name: Box<str>,
        /// Text before the value.
        prefix: Box<str>,
        /// Text after the value.
        suffix: Box<str>,
    },
    /// One or more whole segments, always the last of a pattern.
    Tail {
        /// What the value is called.
        name: Box<str>,
    },
}

/// What two segments have in common.
pub(super) struct Meet {
    pub segment: Segment,
    /// Whether `segment` matches all that both match. It does not when one has the
    /// longer prefix and the other the longer suffix.
    pub exact: bool,
}

impl Segment {
    /// The name of the value it captures.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Param { name, .. } | Self::Tail { name } => Some(name),
        }
    }

    /// The value that a path segment gives it; `None` when it does not match.
    pub(super) fn capture<'p>(&self, text: &'p str) -> Option<&'p str> {
        match self {
            Self::Literal(literal) => (**literal == *text).then_some(text),
            Self::Param { prefix, suffix, .. } => between(prefix, suffix, text),
            Self::Tail { .. } => Some(text),
        }
    }

    /// Whether every text that `self` matches is matched by `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Tail { .. }) => true,
            (Self::Literal(literal), _) => other.capture(literal).is_some(),
            (Self::Tail { .. }, _) | (Self::Param { .. }, Self::Literal(_)) => false,
            (
                Self::Param { prefix, suffix, .. },
                Self::Param {
                    prefix: wider_prefix,
                    suffix: wider_suffix,
                    ..
                },
            ) => prefix.starts_with(&**wider_prefix) && suffix.ends_with(&**wider_suffix),
        }
    }

    /// What both match, if anything.
    pub(super) fn meet(&self, other: &Self) -> Option<Meet> {
        let exact = |segment: &Self| Meet {
            segment: segment.clone(),
            exact: true,
        };
        if self.is_within(other) {
            return Some(exact(self));
        }
        if other.is_within(self) {
            return Some(exact(other));
        }
        self.crossing(other)
    }

    /// `a{x}` and `{x}b` share `a{x}b`, though neither is within the other.
    fn crossing(&self, other: &Self) -> Option<Meet> {
        let (
            Self::Param {
                name,
                prefix,
                suffix,
            },
            Self::Param {
                prefix: p,
                suffix: s,
                ..
            },
        ) = (self, other)
        else {
            return None;
        };
        let prefix = longer(prefix, p, |long, short| long.starts_with(short))?;
        let suffix = longer(suffix, s, |long, short| long.ends_with(short))?;
        Some(Meet {
            segment: Self::Param {
                name: name.clone(),
                prefix: prefix.into(),
                suffix: suffix.into(),
            },
            exact: false,
        })
    }

    /// Some text that it matches.
    pub(super) fn example(&self) -> String {
        match self {
            Self::Literal(literal) => literal.to_string(),
            Self::Param { prefix, suffix, .. } => format!("{prefix}x{suffix}"),
            Self::Tail { .. } => "x".to_owned(),
        }
    }
}

/// The non-empty text between `prefix` and `suffix`.
pub(super) fn between<'p>(prefix: &str, suffix: &str, text: &'p str) -> Option<&'p str> {
    text.strip_prefix(prefix)?
        .strip_suffix(suffix)
        .filter(|value| !value.is_empty())
}

fn longer<'a>(a: &'a str, b: &'a str, fits: fn(&str, &str) -> bool) -> Option<&'a str> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    fits(long, short).then_some(long)
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => f.write_str(literal),
            Self::Param {
                name,
                prefix,
                suffix,
            } => write!(f, "{prefix}{{{name}}}{suffix}"),
            Self::Tail { name } => write!(f, "{{{name}...}}"),
        }
    }
}
