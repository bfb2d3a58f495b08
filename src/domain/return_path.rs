//! Where a browser goes after it has signed in.

use std::fmt;
use std::str::FromStr;

/// Longest, in bytes: it travels in the query of another path.
const MAX: usize = 2048;

/// A path and query of this very site. What a browser could take for another site is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(String);

/// The text is no path of this site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a path of this site")]
pub struct NotOurs;

impl ReturnPath {
    /// The path as text: visible ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ReturnPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl FromStr for ReturnPath {
    type Err = NotOurs;

    /// Browsers drop tabs and line ends, take `\\` for `/`, and `//` for the beginning of a
    /// host's name (WHATWG URL §4.4): none of these may be in it.
    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let (path, _) = text.split_once('?').unwrap_or((text, ""));
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() > MAX || !is_visible || text.contains(['\\', '#']) {
            return Err(NotOurs);
        }
        if !path.starts_with('/') || path.contains("//") {
            return Err(NotOurs);
        }
        // It would lead back here, and from here to there.
        if path.starts_with("/.portcullis/sign-") {
            return Err(NotOurs);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_site_are_kept_as_they_are() {
        for path in [
            "/",
            "/ml/#".trim_end_matches('#'),
            "/a?b=//c",
            "/%5cevil",
            "/a/b?next=https://x",
        ] {
            assert_eq!(path.parse::<ReturnPath>().unwrap().as_str(), path);
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for path in [
            "",
            "evil.example",
            "https://evil.example",
            "https:evil.example",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/a//evil.example",
            " /",
            "/\u{2044}evil.example",
            "javascript:alert(1)",
            "/.portcullis/sign-in?return=/",
            "/.portcullis/sign-out",
        ] {
            assert_eq!(path.parse::<ReturnPath>(), Err(NotOurs), "{path:?}");
        }
        assert_eq!(
            format!("/{}", "x".repeat(MAX)).parse::<ReturnPath>(),
            Err(NotOurs)
        );
    }
}
