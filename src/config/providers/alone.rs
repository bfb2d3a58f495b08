//! A provider that is in no file of the configuration.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Provider, provider};
use crate::config::diagnostic::{Diagnostic, Findings, Place};
use crate::config::files::Reads;
use crate::config::node::Node;
use crate::config::reader::Reader;

impl Provider {
    /// One of these settings, with the keys that it has in a file. Variables are not filled in, and
    /// no file is read: whoever may write this need not be who may read those of the gateway.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each with its key.
    pub fn of(settings: &Map<String, Value>) -> Result<Self, Vec<String>> {
        let text = Value::Object(settings.clone()).to_string();
        let node = Node::parse(&text).map_err(|(_, problem)| vec![problem])?;
        let files = files_of(&node);
        if !files.is_empty() {
            return Err(files);
        }
        let (findings, reads) = (Findings::default(), Reads::default());
        let reader = Reader {
            file: &Arc::from("settings"),
            directory: Path::new("/"),
            findings: &findings,
            reads: &reads,
        };
        let provider = provider(reader, &node);
        let found = findings.into_sorted();
        match provider {
            Some(provider) if found.is_empty() => Ok(provider),
            _ => Err(found
                .into_iter()
                .map(|wrong| match key_at(&node, place(&wrong)) {
                    Some(key) => format!("`{key}`: {}", wrong.message),
                    None => wrong.message,
                })
                .collect()),
        }
    }
}

const fn place(of: &Diagnostic) -> Place {
    Place {
        line: of.line,
        column: of.column,
    }
}

/// The keys that name files.
fn files_of(node: &Node) -> Vec<String> {
    let inner = node.pairs().iter().flat_map(|(_, value)| value.pairs());
    let named = inner.filter_map(|(key, _)| key.text());
    let named = named.filter(|key| key.ends_with("_file"));
    named
        .map(|key| format!("`{key}`: files are read for the configuration only"))
        .collect()
}

/// The key that is, or whose value is, at this place: `oidc.issuer`.
fn key_at(node: &Node, place: Place) -> Option<String> {
    let listed = node.items().iter().enumerate();
    let listed = listed.map(|(at, item)| (at.to_string(), None, item));
    let mapped = node.pairs().iter().map(|(key, value)| {
        let name = key.text().unwrap_or_default().to_owned();
        (name, Some(key), value)
    });
    listed.chain(mapped).find_map(|(name, key, value)| {
        if let Some(below) = key_at(value, place) {
            return Some(format!("{name}.{below}"));
        }
        let is_here = value.place == place || key.is_some_and(|key| key.place == place);
        is_here.then_some(name)
    })
}
