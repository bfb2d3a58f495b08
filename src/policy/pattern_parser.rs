//! Text to [`Pattern`].

use super::pattern::Pattern;
use super::segment::Segment;

/// Longest pattern, in segments: bounds the depth of a lookup.
const MAX_SEGMENTS: usize = 64;
/// Most patterns that the alternations of one text may make.
const MAX_ALTERNATIVES: usize = 64;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is relative, or no path at all.
    #[error("a path pattern starts with `/`")]
    NoLeadingSlash,
    /// `//`.
    #[error("empty segment (`//`): such a path is always refused")]
    EmptySegment,
    /// `.` or `..`.
    #[error("segment `{0}`: such a path is always refused")]
    DotSegment(String),
    /// A character that no canonical path has, or that means something else elsewhere.
    #[error("`{0}` cannot stand in a path pattern")]
    BadCharacter(char),
    /// `*`, as other gateways write it.
    #[error(
        "`*` is no wildcard; write `{{name}}` for one segment, `{{name...}}` for all that follow"
    )]
    Star,
    /// `:name`, as some frameworks write a value.
    #[error("segment `{0}`: a value is written `{{name}}`")]
    ColonName(String),
    /// `{` without `}`, or the reverse.
    #[error("unbalanced braces in segment `{0}`")]
    UnbalancedBraces(String),
    /// The name in the braces is empty or has odd characters.
    #[error("`{{{0}}}`: a name is a letter or `_`, then letters, digits or `_`")]
    BadName(String),
    /// `{a}{b}`: where one value ends and the next begins would be a guess.
    #[error("two values in segment `{0}`; a segment holds one")]
    TwoParams(String),
    /// Two values of one name.
    #[error("the name `{0}` is used twice")]
    DuplicateName(String),
    /// `{name...}` before the end.
    #[error("`{{{0}...}}` must be the last segment")]
    TailNotLast(String),
    /// `v{name...}`.
    #[error("`{{{0}...}}` must be a whole segment")]
    AffixedTail(String),
    /// `(a|b` or `x(a|b)` or `(a|)` or `({x}|b)`.
    #[error("`{0}`: alternatives are whole literal segments, written `(a|b)`, none of them twice")]
    BadAlternation(String),
    /// Deeper than any lookup goes.
    #[error("more than 64 segments")]
    TooLong,
    /// The alternations multiply to too many patterns.
    #[error("the alternatives make more than 64 patterns")]
    TooManyAlternatives,
}

pub(super) fn parse(text: &str) -> Result<Vec<Pattern>, PatternError> {
    let path = text.strip_prefix('/').ok_or(PatternError::NoLeadingSlash)?;
    let (path, trailing_slash) = match path.strip_suffix('/') {
        Some(path) => (path, true),
        None => (path, false),
    };
    if path.is_empty() {
        return if trailing_slash {
            Err(PatternError::EmptySegment)
        } else {
            Ok(vec![Pattern::new(Vec::new(), true)])
        };
    }
    let columns = path
        .split('/')
        .map(alternatives)
        .collect::<Result<Vec<_>, _>>()?;
    check(&columns)?;
    Ok(product(&columns)?
        .into_iter()
        .map(|segments| Pattern::new(segments, trailing_slash))
        .collect())
}

fn check(columns: &[Vec<Segment>]) -> Result<(), PatternError> {
    if columns.len() > MAX_SEGMENTS {
        return Err(PatternError::TooLong);
    }
    let mut seen = Vec::new();
    for (at, segment) in columns.iter().map(|column| &column[0]).enumerate() {
        let Some(name) = segment.name() else { continue };
        if seen.contains(&name) {
            return Err(PatternError::DuplicateName(name.to_owned()));
        }
        if matches!(segment, Segment::Tail { .. }) && at + 1 < columns.len() {
            return Err(PatternError::TailNotLast(name.to_owned()));
        }
        seen.push(name);
    }
    Ok(())
}

fn product(columns: &[Vec<Segment>]) -> Result<Vec<Vec<Segment>>, PatternError> {
    let mut rows = vec![Vec::with_capacity(columns.len())];
    for column in columns {
        if rows.len() * column.len() > MAX_ALTERNATIVES {
            return Err(PatternError::TooManyAlternatives);
        }
        rows = column
            .iter()
            .flat_map(|segment| {
                rows.iter().cloned().map(|mut row| {
                    row.push(segment.clone());
                    row
                })
            })
            .collect();
    }
    Ok(rows)
}

/// The segments that one written segment stands for: one, but for an alternation.
fn alternatives(text: &str) -> Result<Vec<Segment>, PatternError> {
    if !text.contains(['(', ')', '|']) {
        return Ok(vec![segment(text)?]);
    }
    let bad = || PatternError::BadAlternation(text.to_owned());
    let inner = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(bad)?;
    let mut segments = Vec::new();
    for part in inner.split('|') {
        if part.is_empty() || part.contains(['{', '}', '(', ')']) {
            return Err(bad());
        }
        let segment = segment(part)?;
        if segments.contains(&segment) {
            return Err(bad());
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn segment(text: &str) -> Result<Segment, PatternError> {
    match text {
        "" => return Err(PatternError::EmptySegment),
        _ if text.starts_with(':') => return Err(PatternError::ColonName(text.to_owned())),
        "." | ".." => return Err(PatternError::DotSegment(text.to_owned())),
        _ => {}
    }
    let Some((prefix, rest)) = text.split_once('{') else {
        return if text.contains('}') {
            Err(PatternError::UnbalancedBraces(text.to_owned()))
        } else {
            Ok(Segment::Literal(literal(text)?))
        };
    };
    let (name, suffix) = rest
        .split_once('}')
        .filter(|(name, _)| !name.contains('{') && !prefix.contains('}'))
        .ok_or_else(|| PatternError::UnbalancedBraces(text.to_owned()))?;
    match suffix.find(['{', '}']) {
        Some(at) if suffix[at..].starts_with('{') => Err(PatternError::TwoParams(text.to_owned())),
        Some(_) => Err(PatternError::UnbalancedBraces(text.to_owned())),
        None => param(prefix, name, suffix),
    }
}

fn param(prefix: &str, name: &str, suffix: &str) -> Result<Segment, PatternError> {
    let tail = name.strip_suffix("...");
    let name = tail.unwrap_or(name);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        return Err(PatternError::BadName(name.to_owned()));
    }
    if tail.is_some() {
        return if prefix.is_empty() && suffix.is_empty() {
            Ok(Segment::Tail { name: name.into() })
        } else {
            Err(PatternError::AffixedTail(name.to_owned()))
        };
    }
    Ok(Segment::Param {
        name: name.into(),
        prefix: literal(prefix)?,
        suffix: literal(suffix)?,
    })
}

fn literal(text: &str) -> Result<Box<str>, PatternError> {
    let plain = |c: char| c.is_alphanumeric() || "-._~!$&'+,=:@".contains(c);
    match text.chars().find(|c| !plain(*c)) {
        Some('*') => Err(PatternError::Star),
        Some(c) => Err(PatternError::BadCharacter(c)),
        None => Ok(text.into()),
    }
}
