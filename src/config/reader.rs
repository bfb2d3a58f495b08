//! Takes typed values out of the tree and reports what does not fit.
//!
//! Every reading method gives `None` after it has reported the mistake, so a caller
//! goes on with the rest and all mistakes are told at once.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Findings, Place, did_you_mean};
use super::files::Reads;
use super::node::{Node, Value};
use super::units;
use crate::policy::Origin;

/// Reads one file.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub file: &'a Arc<str>,
    /// What relative paths are relative to.
    pub directory: &'a Path,
    pub findings: &'a Findings,
    /// Through which every file that the configuration names is read: it is watched.
    pub reads: &'a Reads,
}

impl<'a> Reader<'a> {
    pub fn report(self, place: Place, message: impl Into<String>) {
        self.findings.add(self.file, place, message.into());
    }

    pub fn origin(self, place: Place) -> Origin {
        Origin {
            file: Arc::clone(self.file),
            line: place.line,
            column: place.column,
        }
    }

    /// Reports a value of another kind.
    pub fn wrong_type<T>(self, node: &Node, expected: &str) -> Option<T> {
        if !matches!(node.value, Value::Unresolved) {
            let found = node.value.kind();
            let (expected, help) = expected.split_at(expected.find(';').unwrap_or(expected.len()));
            self.report(
                node.place,
                format!("expected {expected}, found {found}{help}"),
            );
        }
        None
    }

    /// Text that is not empty.
    pub fn text(self, node: &Node) -> Option<&str> {
        match node.text() {
            Some("") => {
                self.report(node.place, "expected text, found empty text");
                None
            }
            Some(text) => Some(text),
            None => match node.value {
                Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
                    self.wrong_type(node, "text (put it in quotes)")
                }
                _ => self.wrong_type(node, "text"),
            },
        }
    }

    /// Text that `parse` understands. What came from a variable is never shown.
    pub fn parsed<T, E: Display>(
        self,
        node: &Node,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(node)?;
        parse(text)
            .map_err(|error| {
                self.report(node.place, blame(node, expected, &error));
            })
            .ok()
    }

    /// Text that [`FromStr`] understands; `expected` says what it should have been.
    pub fn of_type<T: FromStr>(self, node: &Node, expected: &str) -> Option<T> {
        self.parsed(node, expected, |text| {
            text.parse()
                .map_err(|_| format!("`{text}` is not {expected}"))
        })
    }

    pub fn boolean(self, node: &Node) -> Option<bool> {
        match &node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.has_variable() => self.of_type(node, "`true` or `false`"),
            _ => self.wrong_type(node, "`true` or `false`"),
        }
    }

    pub fn integer<T: TryFrom<i128> + Display>(
        self,
        node: &Node,
        range: &RangeInclusive<i128>,
    ) -> Option<T> {
        let number = match &node.value {
            Value::Integer(number) => *number,
            Value::Text(text) if text.has_variable() => self.of_type(node, "a whole number")?,
            _ => return self.wrong_type(node, "a whole number"),
        };
        let fitting = range.contains(&number).then(|| T::try_from(number).ok());
        fitting.flatten().or_else(|| {
            let (low, high) = (range.start(), range.end());
            self.report(node.place, format!("must be between {low} and {high}"));
            None
        })
    }

    pub fn duration(self, node: &Node, range: &RangeInclusive<Duration>) -> Option<Duration> {
        const EXPECTED: &str = "a duration; write a whole number and ms, s, m, h or d, as in `30s`";
        if let Value::Integer(_) | Value::Float(_) = node.value {
            return self.wrong_type(node, EXPECTED);
        }
        let duration = self.parsed(node, EXPECTED, |text| {
            units::duration(text).ok_or_else(|| format!("`{text}` is not {EXPECTED}"))
        })?;
        if range.contains(&duration) {
            return Some(duration);
        }
        let [low, high] = [range.start(), range.end()].map(|d| units::show_duration(*d));
        self.report(node.place, format!("must be between {low} and {high}"));
        None
    }

    /// A number of bytes, at least `least`.
    pub fn size(self, node: &Node, least: u64) -> Option<u64> {
        const EXPECTED: &str = "a size; write a whole number and B, KiB, MiB or GiB, as in `64MiB`";
        if let Value::Integer(_) | Value::Float(_) = node.value {
            return self.wrong_type(node, EXPECTED);
        }
        let size = self.parsed(node, EXPECTED, |text| {
            units::size(text).ok_or_else(|| format!("`{text}` is not {EXPECTED}"))
        })?;
        if size < least {
            let least = units::show_size(least);
            self.report(node.place, format!("must be at least {least}"));
            return None;
        }
        Some(size)
    }

    /// One of a few words.
    pub fn choice<T: Copy>(self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let words = choices.iter().map(|(word, _)| *word);
        let listed = words.clone().map(|word| format!("`{word}`"));
        let expected = format!("one of {}", listed.collect::<Vec<_>>().join(", "));
        self.parsed(node, &expected, |text| {
            let chosen = choices.iter().find(|(word, _)| *word == text);
            chosen.map(|(_, value)| *value).ok_or_else(|| {
                let help = did_you_mean(text, words);
                format!("`{text}` is not {expected}{help}")
            })
        })
    }

    pub fn list(self, node: &'a Node) -> &'a [Node] {
        match &node.value {
            Value::List(items) => items,
            _ => self.wrong_type(node, "a list").unwrap_or_default(),
        }
    }

    /// Key and value of a mapping with free keys; each duplicate is reported.
    pub fn entries(self, node: &'a Node) -> Vec<(&'a str, &'a Node, &'a Node)> {
        let Value::Map(map) = &node.value else {
            return self.wrong_type(node, "a mapping").unwrap_or_default();
        };
        let mut entries: Vec<(&str, &Node, &Node)> = Vec::with_capacity(map.len());
        for (key, value) in map {
            let Some(name) = self.text(key) else { continue };
            if let Some((_, first, _)) = entries.iter().find(|(seen, ..)| *seen == name) {
                let line = first.place.line;
                self.report(
                    key.place,
                    format!("duplicate key `{name}`, first on line {line}"),
                );
            } else {
                entries.push((name, key, value));
            }
        }
        entries
    }

    /// The fields of a mapping whose keys are known.
    pub fn fields(self, node: &'a Node, known: &[&str]) -> Option<Fields<'a>> {
        if !matches!(node.value, Value::Map(_)) {
            return self.wrong_type(node, "a mapping");
        }
        let entries = self.entries(node);
        for (name, key, _) in &entries {
            if !known.contains(name) {
                let help = did_you_mean(name, known.iter().copied());
                self.report(key.place, format!("unknown key `{name}`{help}"));
            }
        }
        Some(Fields {
            reader: self,
            place: node.place,
            entries,
        })
    }

    /// A path, relative to the file's directory.
    pub fn path(self, node: &Node) -> Option<PathBuf> {
        self.text(node).map(|text| self.directory.join(text))
    }
}

/// The message for a text that was not understood, without what came from a variable.
fn blame(node: &Node, expected: &str, error: &dyn Display) -> String {
    match &node.value {
        Value::Text(text) if text.has_variable() => {
            format!("the value of `{}` is not {expected}", text.as_written())
        }
        _ => error.to_string(),
    }
}

/// A mapping whose keys are known.
pub(super) struct Fields<'a> {
    reader: Reader<'a>,
    /// Where it begins.
    pub place: Place,
    entries: Vec<(&'a str, &'a Node, &'a Node)>,
}

impl<'a> Fields<'a> {
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        let entry = self.entries.iter().find(|(name, ..)| *name == key);
        entry.map(|(_, _, value)| *value)
    }

    /// The place of a key that is there.
    pub fn key_place(&self, key: &str) -> Place {
        let entry = self.entries.iter().find(|(name, ..)| *name == key);
        entry.map_or(self.place, |(_, key, _)| key.place)
    }

    pub fn required(&self, key: &str) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            self.reader
                .report(self.place, format!("`{key}` is missing"));
        }
        found
    }

    /// A duration within bounds, or the default.
    pub fn duration(
        &self,
        key: &str,
        range: &RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        self.get(key)
            .and_then(|node| self.reader.duration(node, range))
            .unwrap_or(default)
    }
}
