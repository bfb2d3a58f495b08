//! Short names of tenants and projects, as they appear in headers and URLs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// `^[a-z0-9](-?[a-z0-9])*$`, at most 30 bytes.
///
/// A slug never holds `--`, so `{tenant}--{project}` names exactly one project. Two of
/// them so joined fit into 63 bytes, which is as long as a DNS label, a Kubernetes name
/// or an MLflow workspace may be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Slug(Arc<str>);

/// The text is no [`Slug`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a short name: lower-case letters, digits and single hyphens inside, at most 30"
)]
pub struct MalformedSlug(pub String);

impl Slug {
    const MAX: usize = 30;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = MalformedSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if text.len() <= Self::MAX && text.split('-').all(word) {
            Ok(Self(text.into()))
        } else {
            Err(MalformedSlug(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Slug {
    type Error = MalformedSlug;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_words_joined_by_single_hyphens() {
        let longest = "x".repeat(30);
        for good in ["a", "acme", "team-7", "0-0-0", &longest] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_what_would_make_two_names_look_alike() {
        let long = "x".repeat(31);
        for bad in ["", "-a", "a-", "a--b", "A", "a_b", "a/b", "é", &long] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }
}
