//! Places in a JSON value: JSON Pointer (RFC 6901), `*` for every element, and `*?` for every
//! element where a plain value may stand instead of the array.

use std::fmt;
use std::str::FromStr;

/// `/info/run_id`; `*` as a segment stands for every element of an array, `*?` too, and for
/// nothing in a text, a number or a truth value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer {
    segments: Box<[PointerSegment]>,
}

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PointerSegment {
    /// A key of an object, or an index of an array.
    Key(Box<str>),
    /// Every element.
    Each,
    /// Every element of an array; of a plain value none.
    EachIfList,
}

/// The text is no pointer.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no JSON pointer; write `/key`, `/key/0` or `/key/*/id`")]
pub struct MalformedPointer(String);

impl Pointer {
    /// Every element of an array.
    #[must_use]
    pub fn each() -> Self {
        Self {
            segments: Box::new([PointerSegment::Each]),
        }
    }

    /// The pointer of these steps.
    #[must_use]
    pub fn of(steps: &[PointerSegment]) -> Self {
        Self {
            segments: steps.into(),
        }
    }

    /// Its steps; none is the whole value.
    #[must_use]
    pub const fn segments(&self) -> &[PointerSegment] {
        &self.segments
    }
}

impl FromStr for Pointer {
    type Err = MalformedPointer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self {
                segments: Box::default(),
            });
        }
        let steps = text.strip_prefix('/').map(|steps| steps.split('/'));
        let segments = steps.and_then(|steps| steps.map(segment).collect());
        let segments = segments.ok_or_else(|| MalformedPointer(text.to_owned()))?;
        Ok(Self { segments })
    }
}

/// `~1` is `/`, `~0` is `~`; any other `~` means nothing (RFC 6901 §3).
fn segment(text: &str) -> Option<PointerSegment> {
    match text {
        "*" => return Some(PointerSegment::Each),
        "*?" => return Some(PointerSegment::EachIfList),
        _ => {}
    }
    let mut parts = text.split('~');
    let mut key = parts.next()?.to_owned();
    for part in parts {
        let rest = match part.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        };
        key.push(rest);
        key.push_str(&part[1..]);
    }
    Some(PointerSegment::Key(key.into()))
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                PointerSegment::Each => f.write_str("/*")?,
                PointerSegment::EachIfList => f.write_str("/*?")?,
                PointerSegment::Key(key) => {
                    write!(f, "/{}", key.replace('~', "~0").replace('/', "~1"))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in [
            "", "/", "/a", "/a/0/b", "/a/*/b", "/a~1b/~0", "/*", "/a/*?/b",
        ] {
            assert_eq!(text.parse::<Pointer>().unwrap().to_string(), text);
        }
        for text in ["a", "a/b", "/~", "/~2", "/a~"] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }
}
