//! Path patterns: `/models/{name}/versions/{version}`, `/files/{path...}`.

use std::borrow::Cow;
use std::fmt;

use super::pattern_parser;
use super::segment::Segment;

pub use super::pattern_parser::PatternError;

/// A parsed path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
    trailing_slash: bool,
}

/// A canonical request path: decoded segments, none of them empty.
///
/// The root `/` has no segments; there `trailing_slash` means nothing.
#[derive(Clone, Copy, Debug)]
pub struct PathRef<'p, S> {
    /// The decoded segments.
    pub segments: &'p [S],
    /// Whether the path ends in `/`.
    pub trailing_slash: bool,
}

impl<S> PathRef<'_, S> {
    /// The trailing slash, the same for every spelling of the root.
    pub(super) fn slash(&self) -> bool {
        self.trailing_slash || self.segments.is_empty()
    }
}

impl<S: AsRef<str>> PathRef<'_, S> {
    /// Whether it lies under a prefix that the gateway keeps for itself.
    pub(super) fn is_reserved(&self) -> bool {
        let segment = |at: usize| self.segments.get(at).map_or("", AsRef::as_ref);
        is_reserved([segment(0), segment(1)])
    }
}

fn is_reserved(path: [&str; 2]) -> bool {
    path[0] == ".portcullis" || path == [".well-known", "portcullis"]
}

/// What two patterns have in common.
pub(super) struct PatternMeet {
    pub pattern: Pattern,
    /// Whether `pattern` matches all that both match.
    pub exact: bool,
}

impl Pattern {
    /// Parses one text; alternations `(a|b)` make several patterns of it.
    ///
    /// # Errors
    ///
    /// When the text is no pattern.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, PatternError> {
        pattern_parser::parse(text)
    }

    pub(super) fn new(segments: Vec<Segment>, trailing_slash: bool) -> Self {
        let trailing_slash = trailing_slash || segments.is_empty();
        Self {
            segments,
            trailing_slash,
        }
    }

    /// Its segments.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether it matches only paths that end in `/` (else only those that do not).
    #[must_use]
    pub const fn trailing_slash(&self) -> bool {
        self.trailing_slash
    }

    /// Whether it captures a value of this name.
    #[must_use]
    pub fn has_param(&self, name: &str) -> bool {
        self.params().any(|param| param == name)
    }

    /// The names of the values it captures.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// Whether it lies under a prefix that the gateway keeps for itself.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        let literal = |at: usize| match self.segments.get(at) {
            Some(Segment::Literal(text)) => &**text,
            _ => "",
        };
        is_reserved([literal(0), literal(1)])
    }

    /// The value that `path`, which must match, gives to `name`.
    #[must_use]
    pub fn capture<'p, S: AsRef<str>>(
        &self,
        name: &str,
        path: &PathRef<'p, S>,
    ) -> Option<Cow<'p, str>> {
        let at = self
            .segments
            .iter()
            .position(|segment| segment.name() == Some(name))?;
        let segment = &self.segments[at];
        let (first, rest) = path.segments.get(at..)?.split_first()?;
        if matches!(segment, Segment::Param { .. }) || rest.is_empty() {
            return segment.capture(first.as_ref()).map(Cow::Borrowed);
        }
        let texts: Vec<&str> = path.segments[at..].iter().map(AsRef::as_ref).collect();
        Some(Cow::Owned(texts.join("/")))
    }

    /// Whether it matches the path. The slow way: [`RouteMap`](super::RouteMap) is the fast one.
    #[must_use]
    pub fn matches<S: AsRef<str>>(&self, path: &PathRef<'_, S>) -> bool {
        let fixed = self.fixed();
        let length_fits = if self.has_tail() {
            path.segments.len() > fixed.len()
        } else {
            path.segments.len() == fixed.len()
        };
        length_fits
            && self.trailing_slash == path.slash()
            && fixed
                .iter()
                .zip(path.segments)
                .all(|(segment, text)| segment.capture(text.as_ref()).is_some())
    }

    /// Whether every path that `self` matches is matched by `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.fixed(), other.fixed());
        let length_fits = match (self.has_tail(), other.has_tail()) {
            (false, false) => mine.len() == theirs.len(),
            (true, false) => false,
            (false, true) => mine.len() > theirs.len(),
            (true, true) => mine.len() >= theirs.len(),
        };
        length_fits
            && self.trailing_slash == other.trailing_slash
            && mine.iter().zip(theirs).all(|(a, b)| a.is_within(b))
    }

    /// Whether some path is matched by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.meet(other).is_some()
    }

    /// What both match, if anything.
    pub(super) fn meet(&self, other: &Self) -> Option<PatternMeet> {
        let (short, long) = if self.segments.len() <= other.segments.len() {
            (self, other)
        } else {
            (other, self)
        };
        let extended = short.has_tail();
        if short.trailing_slash != long.trailing_slash
            || (!extended && short.segments.len() != long.segments.len())
        {
            return None;
        }
        let mut exact = true;
        let mut segments = Vec::with_capacity(long.segments.len());
        for (a, b) in short.segments.iter().zip(&long.segments) {
            let meet = a.meet(b)?;
            exact &= meet.exact;
            segments.push(meet.segment);
        }
        segments.extend_from_slice(&long.segments[segments.len()..]);
        Some(PatternMeet {
            pattern: Self::new(segments, short.trailing_slash),
            exact,
        })
    }

    /// Some path that it matches.
    pub(super) fn example(&self) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            path.push_str(&segment.example());
        }
        if self.trailing_slash {
            path.push('/');
        }
        path
    }

    fn has_tail(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Tail { .. }))
    }

    /// The segments before the tail.
    fn fixed(&self) -> &[Segment] {
        &self.segments[..self.segments.len() - usize::from(self.has_tail())]
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            write!(f, "/{segment}")?;
        }
        f.write_str(if self.trailing_slash { "/" } else { "" })
    }
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
