//! YAML as a tree that knows its places and keeps duplicate keys.
//!
//! Serde's derived types stop at the first mistake. This tree takes any YAML, so that
//! the checks that follow can report all mistakes at once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error, Location, Options, Spanned};

use super::diagnostic::Place;

/// A YAML value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Text),
    List(Vec<Node>),
    /// In order, duplicates kept.
    Map(Vec<(Node, Node)>),
    /// A text with a variable that does not exist: reported, to be passed over.
    Unresolved,
}

/// Text, after variables were filled in.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub value: String,
    /// The text before that, if it had any.
    pub written: Option<String>,
}

impl Text {
    pub const fn has_variable(&self) -> bool {
        self.written.is_some()
    }

    /// The text as it stands in the file: fit to be shown.
    pub fn as_written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.value)
    }
}

impl Value {
    /// For "expected …, found …".
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a number",
            Self::Float(_) => "a decimal number",
            Self::Text(_) | Self::Unresolved => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// Reads one YAML document. Aliases may not blow it up.
    pub fn parse(text: &str) -> Result<Self, (Place, String)> {
        Self::parse_within(text, 32)
    }

    /// As [`Self::parse`], with another bound of the nesting.
    pub fn parse_within(text: &str, max_depth: usize) -> Result<Self, (Place, String)> {
        let budget = serde_saphyr::budget! {
            max_depth: max_depth,
            max_events: 4_000_000,
            max_nodes: 2_000_000,
            // Whole sections are commented out in files that people keep.
            max_buffered_comment_events: 1_000_000,
            max_total_comment_bytes: 32 << 20,
        };
        let options: Options = serde_saphyr::options! {
            budget: budget,
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| explain(&error))
    }

    /// Forgets all other keys of a mapping.
    pub fn retain(&mut self, keys: &[&str]) {
        if let Value::Map(entries) = &mut self.value {
            entries.retain(|(key, _)| key.text().is_some_and(|key| keys.contains(&key)));
        }
    }

    pub const fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(&text.value),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let entry = self.pairs().iter().find(|(k, _)| k.text() == Some(key));
        entry.map(|(_, value)| value)
    }

    /// Keys and values, if this is a mapping.
    pub fn pairs(&self) -> &[(Self, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items, if this is a list.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }
}

fn explain(error: &Error) -> (Place, String) {
    let place = error.location().map_or(Place::START, place);
    let error = error.without_snippet();
    if let Error::MultipleDocuments { .. } = error {
        let problem = "a second YAML document (`---`); a configuration is one";
        return (place, problem.to_owned());
    }
    let message = error.to_string();
    // The location is already at the head of the diagnostic.
    let end = message.rfind(" at line ").unwrap_or(message.len());
    (place, format!("not valid YAML: {}", &message[..end]))
}

fn place(location: Location) -> Place {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    Place {
        line: number(location.line()),
        column: number(location.column()),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            place: place(spanned.referenced),
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

fn plain(value: String) -> Value {
    let written = None;
    Value::Text(Text { value, written })
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(plain(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(plain(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}
