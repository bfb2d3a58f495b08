//! A backend's answer as the text it is.
//!
//! What is taken out of it or put into it changes no other byte: numbers keep their
//! digits, keys their order. Only what a rule names is read, and that strictly: an object on
//! the way to it that has a key twice has no single meaning.

mod edit;
mod empty;
mod listing;
mod splice;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

pub use edit::{Edits, NoSuchPlace};
pub use empty::without_items;
pub use listing::Listing;
pub use splice::{rewrite_texts, set_null, set_text};

use super::{Pointer, PointerSegment};

/// The text is no JSON, or not of the shape that a rule says it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not of the JSON that the route says")]
pub struct Unreadable;

/// The values at a place, as slices of `text`; with `*` each. A key that is not there, or
/// null on the way, is a place without a value.
///
/// # Errors
///
/// [`Unreadable`].
pub fn values_at<'t>(text: &'t str, pointer: &Pointer) -> Result<Vec<&'t str>, Unreadable> {
    let mut found = Found::default();
    found.collect(whole(text)?, pointer.segments())?;
    Ok(found.values)
}

/// The only id at a place: a text that is not empty, or an integer.
///
/// # Errors
///
/// [`Unreadable`], and if there is something else.
pub fn id_at(text: &str, pointer: &Pointer) -> Result<Option<String>, Unreadable> {
    let values = values_at(text, pointer)?;
    match values.as_slice() {
        [] | ["null"] => Ok(None),
        [value] => id(value).map(Some),
        _ => Err(Unreadable),
    }
}

/// All ids at a place.
///
/// # Errors
///
/// [`Unreadable`], and if there is something else.
pub fn ids_at(text: &str, pointer: &Pointer) -> Result<Vec<String>, Unreadable> {
    let values = values_at(text, pointer)?.into_iter();
    values.filter(|value| *value != "null").map(id).collect()
}

/// The text of the only value at a place that is one, or its JSON.
///
/// # Errors
///
/// [`Unreadable`].
pub fn text_at(text: &str, pointer: &Pointer) -> Result<Option<String>, Unreadable> {
    match values_at(text, pointer)?.as_slice() {
        [] | ["null"] => Ok(None),
        [value] if value.starts_with('"') => {
            let text = serde_json::from_str(value);
            text.map(Some).map_err(|_| Unreadable)
        }
        [value] => Ok(Some((*value).to_owned())),
        _ => Err(Unreadable),
    }
}

/// A text or an integer as an id.
///
/// # Errors
///
/// [`Unreadable`] for anything else.
pub fn id(value: &str) -> Result<String, Unreadable> {
    let text = if value.starts_with('"') {
        serde_json::from_str(value).map_err(|_| Unreadable)?
    } else if is_integer(value) {
        value.to_owned()
    } else {
        return Err(Unreadable);
    };
    if text.is_empty() || text.contains('\0') {
        return Err(Unreadable);
    }
    Ok(text)
}

/// JSON has no leading zeros; `-0`, fractions and exponents are other spellings of numbers.
fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && value != "-0" && !digits.is_empty()
}

/// The one value that the text is.
fn whole(text: &str) -> Result<&str, Unreadable> {
    let value: &RawValue = serde_json::from_str(text).map_err(|_| Unreadable)?;
    Ok(value.get())
}

/// What a pointer leads to.
#[derive(Default)]
struct Found<'t> {
    values: Vec<&'t str>,
    /// Objects in which a key on the way is missing.
    gaps: Vec<&'t str>,
}

impl<'t> Found<'t> {
    fn collect(&mut self, value: &'t str, way: &[PointerSegment]) -> Result<(), Unreadable> {
        let Some((first, rest)) = way.split_first() else {
            self.values.push(value);
            return Ok(());
        };
        match (first, value.as_bytes().first()) {
            (_, Some(b'n')) => Ok(()),
            (PointerSegment::Key(key), Some(b'{')) => {
                let Some(member) = member(value, key)? else {
                    self.gaps.push(value);
                    return Ok(());
                };
                self.collect(member, rest)
            }
            (PointerSegment::Key(key), Some(b'[')) => {
                let at = key.parse::<usize>().map_err(|_| Unreadable)?;
                match elements(value)?.get(at) {
                    Some(element) => self.collect(element, rest),
                    None => Ok(()),
                }
            }
            (PointerSegment::Each, Some(b'[')) => {
                let mut elements = elements(value)?.into_iter();
                elements.try_for_each(|element| self.collect(element, rest))
            }
            _ => Err(Unreadable),
        }
    }
}

fn member<'t>(object: &'t str, key: &str) -> Result<Option<&'t str>, Unreadable> {
    let members = members(object)?.into_iter();
    let mut named = members.filter(|(name, _)| name == key);
    Ok(named.next().map(|(_, value)| value))
}

/// The members of an object, none of them twice.
fn members(object: &str) -> Result<Vec<(String, &str)>, Unreadable> {
    let members: Members<'_> = serde_json::from_str(object).map_err(|_| Unreadable)?;
    Ok(members.0)
}

fn elements(array: &str) -> Result<Vec<&str>, Unreadable> {
    let elements: Vec<&RawValue> = serde_json::from_str(array).map_err(|_| Unreadable)?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

struct Members<'t>(Vec<(String, &'t str)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'t> Visitor<'t> for MembersVisitor {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, &str)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom("a key twice"));
            }
            members.push((key, value.get()));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        text.parse().unwrap()
    }

    fn found<'t>(text: &'t str, at: &str) -> Result<Vec<&'t str>, Unreadable> {
        values_at(text, &pointer(at))
    }

    #[test]
    fn values_are_the_bytes_that_stand_there() {
        let text = r#" {"a": [ {"b": 1.50e1}, {"b":"x"}, {} ], "c": null} "#;
        assert_eq!(found(text, "/a/*/b"), Ok(vec!["1.50e1", "\"x\""]));
        assert_eq!(found(text, "/a/1/b"), Ok(vec!["\"x\""]));
        assert_eq!(found(text, "/c/d"), Ok(vec![]));
        assert_eq!(found(text, "/none"), Ok(vec![]));
    }

    #[test]
    fn what_has_no_single_meaning_is_not_read() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1} x"#,
            "\u{feff}{}",
            "{",
            "",
            "NaN",
            "[1]",
            "\"{}\"",
        ] {
            assert_eq!(found(text, "/a"), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn ids_are_texts_and_integers() {
        let id = |text: &str| id_at(text, &pointer("/id"));
        assert_eq!(id(r#"{"id":"a/b"}"#), Ok(Some("a/b".to_owned())));
        assert_eq!(id(r#"{"id":42}"#), Ok(Some("42".to_owned())));
        assert_eq!(id(r#"{"id":-7}"#), Ok(Some("-7".to_owned())));
        assert_eq!(id(r#"{"id":null}"#), Ok(None));
        assert_eq!(id("{}"), Ok(None));
        for odd in [
            "1.0",
            "1e3",
            "-0",
            "true",
            "[]",
            "{}",
            "\"\"",
            "\"\\u0000\"",
        ] {
            let text = format!("{{\"id\":{odd}}}");
            assert_eq!(id(&text), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn depth_is_no_danger_where_nothing_is_read() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(found(&deep, "/b"), Ok(vec![]));
    }
}
