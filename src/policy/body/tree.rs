//! JSON as it was written: keys in order, numbers in their own spelling.

use std::fmt;

use serde_json::Value;

use super::super::{Keys, Malformed, Pointer, PointerSegment};

/// A JSON value. Unlike [`Value`], it gives back each number as it was spelt: `1e400`, `0.10`
/// and integers of any length reach the backend as the client wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as spelt.
    Number(Box<str>),
    /// A text.
    Text(Box<str>),
    /// An array.
    List(Vec<Self>),
    /// An object: keys in order, no two alike.
    Map(Vec<(Box<str>, Self)>),
}

impl Tree {
    /// What the pointer leads to: one value, or with `*` one for each element. `None` stands
    /// for what is not there or null.
    ///
    /// # Errors
    ///
    /// [`Malformed::BodyShape`] if the way leads through a value of another kind.
    pub fn find<'t>(
        &'t self,
        pointer: &Pointer,
        keys: Keys,
    ) -> Result<Vec<Option<&'t Self>>, Malformed> {
        let mut found = Vec::new();
        self.walk(pointer.segments(), keys, &mut found)?;
        Ok(found)
    }

    fn walk<'t>(
        &'t self,
        steps: &[PointerSegment],
        keys: Keys,
        found: &mut Vec<Option<&'t Self>>,
    ) -> Result<(), Malformed> {
        let Some((step, rest)) = steps.split_first() else {
            found.push((*self != Self::Null).then_some(self));
            return Ok(());
        };
        let next = match (step, self) {
            (_, Self::Null)
            | (PointerSegment::EachIfList, Self::Bool(_) | Self::Number(_) | Self::Text(_)) => None,
            (PointerSegment::Each | PointerSegment::EachIfList, Self::List(items)) => {
                return items
                    .iter()
                    .try_for_each(|item| item.walk(rest, keys, found));
            }
            (PointerSegment::Key(key), Self::Map(entries)) => {
                let entry = entries.iter().find(|(name, _)| keys.same(name, key));
                entry.map(|(_, value)| value)
            }
            (PointerSegment::Key(key), Self::List(items)) => items.get(index(key)?),
            _ => return Err(Malformed::BodyShape),
        };
        if let Some(next) = next {
            return next.walk(rest, keys, found);
        }
        found.push(None);
        Ok(())
    }

    /// What the pointer leads to, to be changed; nothing where it is not there.
    ///
    /// # Errors
    ///
    /// As [`Self::find`].
    pub fn find_mut<'t>(
        &'t mut self,
        pointer: &Pointer,
        keys: Keys,
    ) -> Result<Vec<&'t mut Self>, Malformed> {
        let mut found = Vec::new();
        self.walk_mut(pointer.segments(), keys, &mut found)?;
        Ok(found)
    }

    fn walk_mut<'t>(
        &'t mut self,
        steps: &[PointerSegment],
        keys: Keys,
        found: &mut Vec<&'t mut Self>,
    ) -> Result<(), Malformed> {
        let Some((step, rest)) = steps.split_first() else {
            found.push(self);
            return Ok(());
        };
        let next = match (step, self) {
            (_, Self::Null)
            | (PointerSegment::EachIfList, Self::Bool(_) | Self::Number(_) | Self::Text(_)) => None,
            (PointerSegment::Each | PointerSegment::EachIfList, Self::List(items)) => {
                return items
                    .iter_mut()
                    .try_for_each(|item| item.walk_mut(rest, keys, found));
            }
            (PointerSegment::Key(key), Self::Map(entries)) => {
                let entry = entries.iter_mut().find(|(name, _)| keys.same(name, key));
                entry.map(|(_, value)| value)
            }
            (PointerSegment::Key(key), Self::List(items)) => items.get_mut(index(key)?),
            _ => return Err(Malformed::BodyShape),
        };
        next.map_or(Ok(()), |next| next.walk_mut(rest, keys, found))
    }

    /// Puts a value where the pointer leads. Objects on the way that are missing are made;
    /// `-` as the last step is the end of an array.
    ///
    /// # Errors
    ///
    /// [`Malformed::BodyShape`] if the way leads through a value of another kind, or to an
    /// element that is not there.
    pub fn set(&mut self, pointer: &Pointer, keys: Keys, value: Self) -> Result<(), Malformed> {
        self.put(pointer.segments(), keys, value)
    }

    fn put(&mut self, steps: &[PointerSegment], keys: Keys, value: Self) -> Result<(), Malformed> {
        let Some((step, rest)) = steps.split_first() else {
            *self = value;
            return Ok(());
        };
        let PointerSegment::Key(key) = step else {
            return Err(Malformed::BodyShape);
        };
        let append = &**key == "-" && rest.is_empty();
        if *self == Self::Null {
            *self = if append {
                Self::List(Vec::new())
            } else {
                Self::Map(Vec::new())
            };
        }
        match self {
            Self::Map(entries) => entry(entries, key, keys).put(rest, keys, value),
            Self::List(items) if append => {
                items.push(value);
                Ok(())
            }
            Self::List(items) => match items.get_mut(index(key)?) {
                Some(item) => item.put(rest, keys, value),
                None => Err(Malformed::BodyShape),
            },
            _ => Err(Malformed::BodyShape),
        }
    }

    /// Its JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        self.write(&mut out);
        out.into_bytes()
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(spelt) => out.push_str(spelt),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The value of a key, which from now on is spelt as the configuration spells it.
fn entry<'t>(entries: &'t mut Vec<(Box<str>, Tree)>, key: &str, keys: Keys) -> &'t mut Tree {
    let at = entries.iter().position(|(name, _)| keys.same(name, key));
    let at = at.unwrap_or_else(|| {
        entries.push((key.into(), Tree::Null));
        entries.len() - 1
    });
    let (name, value) = &mut entries[at];
    if **name != *key {
        *name = key.into();
    }
    value
}

/// An index as RFC 6901 §4 spells it.
fn index(key: &str) -> Result<usize, Malformed> {
    let digits = key.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (key.len() == 1 || !key.starts_with('0'));
    let number = canonical.then(|| key.parse().ok()).flatten();
    number.ok_or(Malformed::BodyShape)
}

/// Short escapes where JSON has them, `\u00..` for the other control characters, and all
/// else as it is.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                out.push_str("\\u00");
                for digit in [control >> 4, control & 15] {
                    out.extend(char::from_digit(digit.into(), 16));
                }
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

impl From<&Value> for Tree {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.to_string().into()),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(entries) => {
                let entries = entries.iter();
                Self::Map(
                    entries
                        .map(|(key, value)| (key.as_str().into(), value.into()))
                        .collect(),
                )
            }
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}
