//! The document as a whole: is it one, and which version?

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::super::diagnostic::{Diagnostic, Findings, Place};
use super::super::files::Reads;
use super::super::node::{Node, Value};
use super::super::reader::Reader;
use super::{Description, json, operation, servers};

/// Largest file that is read. The largest descriptions in public use have some 12 MiB.
const MAX_FILE: u64 = 32 << 20;
/// Deepest nesting: schemas written out in place go deep.
const MAX_DEPTH: usize = 120;

/// The text of a file, unless it is too large.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let cannot = |error| format!("cannot read: {error}");
    let mut text = String::new();
    let file = File::open(path).map_err(cannot)?;
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 > MAX_FILE => {
            Err("larger than 32 MiB: this is no description of a backend".to_owned())
        }
        Ok(_) => Ok(text),
        Err(error) => Err(cannot(error)),
    }
}

pub(super) fn parse(
    file: &Arc<str>,
    text: &str,
    base: Option<&str>,
) -> Result<Description, Vec<Diagnostic>> {
    let (findings, reads) = (Findings::default(), Reads::default());
    let reader = Reader {
        file,
        directory: Path::new(""),
        reads: &reads,
        findings: &findings,
    };
    let root = match tree(text) {
        Ok(root) => root,
        Err((place, message)) => {
            reader.report(place, message);
            return Err(findings.into_sorted());
        }
    };
    let description = description(reader, &root, base);
    description
        .filter(|_| findings.is_empty())
        .ok_or_else(|| findings.into_sorted())
}

fn tree(text: &str) -> Result<Node, (Place, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err((Place::START, "the file is empty".to_owned()));
    }
    let json = text.trim_start().starts_with(['{', '[']);
    let text = if json {
        json::readable_as_yaml(text)?.into()
    } else {
        Cow::Borrowed(text)
    };
    let too_deep = |message: &str| message.contains("Depth") || message.contains("recursion");
    Node::parse_within(&text, MAX_DEPTH).map_err(|(place, message)| {
        if too_deep(&message) {
            (place, format!("nested deeper than {MAX_DEPTH} levels"))
        } else {
            (place, message)
        }
    })
}

fn description(reader: Reader<'_>, root: &Node, base: Option<&str>) -> Option<Description> {
    let version = version(reader, root)?;
    duplicates(reader, root);
    let Some(paths) = root.get("paths") else {
        reader.report(root.place, "`paths` is missing: nothing is described");
        return None;
    };
    if !matches!(paths.value, Value::Map(_)) {
        let found = paths.value.kind();
        reader.report(paths.place, format!("expected a mapping, found {found}"));
        return None;
    }
    let servers = servers::Servers::read(root, base);
    let (operations, unread) = operation::all(reader, root, paths, &servers);
    let info = |key| root.get("info").and_then(|info| info.get(key)?.text());
    let title = [info("title"), info("version")].map(Option::unwrap_or_default);
    Some(Description {
        title: title.join(" ").trim().to_owned(),
        version,
        authority: servers.authority,
        other_bases: servers.others,
        operations,
        unread,
    })
}

fn version(reader: Reader<'_>, root: &Node) -> Option<String> {
    if !matches!(root.value, Value::Map(_)) {
        let found = root.value.kind();
        let problem = format!("no OpenAPI description: expected a mapping, found {found}");
        reader.report(root.place, problem);
        return None;
    }
    let problem = match (root.get("openapi"), root.get("swagger")) {
        (Some(node), _) => match node.text() {
            Some(version) if is_read(version) => return Some(version.to_owned()),
            Some(version) => (
                node.place,
                format!("OpenAPI `{version}` is not read; 3.0 and 3.1 are"),
            ),
            None => (
                node.place,
                "`openapi` is text, as in `openapi: \"3.1.0\"`".to_owned(),
            ),
        },
        (None, Some(node)) => (
            node.place,
            "OpenAPI 2 (`swagger`) is not read; convert it to 3.0 or 3.1 first".to_owned(),
        ),
        (None, None) => (
            root.place,
            "no OpenAPI description: `openapi` is missing".to_owned(),
        ),
    };
    reader.report(problem.0, problem.1);
    None
}

fn is_read(version: &str) -> bool {
    let mut numbers = version.split('.');
    numbers.next() == Some("3") && matches!(numbers.next(), Some("0" | "1"))
}

/// Two values of one key: readers differ in which they take, so an operation could hide.
fn duplicates(reader: Reader<'_>, node: &Node) {
    let mut seen: HashMap<&str, Place> = HashMap::new();
    for (key, value) in node.pairs() {
        if let Some(name) = key.text()
            && let Some(first) = seen.insert(name, key.place)
        {
            let line = first.line;
            let problem = format!("duplicate key `{name}`, first on line {line}");
            reader.report(key.place, problem);
        }
        duplicates(reader, value);
    }
    for item in node.items() {
        duplicates(reader, item);
    }
}
