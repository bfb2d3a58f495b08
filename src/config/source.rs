//! Where a request or an answer holds a value.

use std::sync::Arc;

use http::HeaderName;

use super::diagnostic::did_you_mean;
use super::identity;
use super::node::Node;
use super::reader::Reader;
use crate::policy::{LabelSource, Pattern, Pointer, Source};

/// `a_b`, for types of resources.
pub(super) fn word(reader: Reader<'_>, node: &Node, expected: &str) -> Option<Arc<str>> {
    reader.parsed(node, expected, |text| {
        let valid = is_word(text).then(|| text.into());
        valid.ok_or_else(|| {
            format!("`{text}` is not {expected}; write lower-case letters, digits and `_`")
        })
    })
}

/// `a_b`.
pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// `path.NAME`, `query.NAME`, `header.NAME` or `body./pointer`.
pub(super) fn source(
    reader: Reader<'_>,
    node: &Node,
    patterns: Option<&[Pattern]>,
) -> Option<Source> {
    const EXPECTED: &str =
        "a source; write `path.NAME`, `query.NAME`, `header.NAME` or `body./pointer`";
    reader.parsed(node, EXPECTED, |text| match text.split_once('.') {
        Some(("path", name)) => path_source(name, patterns.unwrap_or_default()),
        Some(("query", name)) => query(name).ok_or_else(|| format!("`{text}` is not {EXPECTED}")),
        Some(("header", name)) => {
            let header: HeaderName = name
                .parse()
                .map_err(|_| format!("`{name}` is not a header name"))?;
            match identity::refuse_source(header.as_str()) {
                Some(reason) => Err(format!("header `{name}` {reason}")),
                None => Ok(Source::Header(header)),
            }
        }
        Some(("body", at)) => pointer_in(at).map(Source::Body),
        _ => Err(format!("`{text}` is not {EXPECTED}")),
    })
}

/// Where the request names its project: one value, known before any body is read.
pub(super) fn project(
    reader: Reader<'_>,
    node: &Node,
    patterns: Option<&[Pattern]>,
) -> Option<Source> {
    let source = source(reader, node, patterns)?;
    if let Source::Body(_) | Source::QueryEach(_) = source {
        let problem = "a project is named by `path.NAME`, `query.NAME` or `header.NAME`";
        reader.report(node.place, problem);
        return None;
    }
    Some(source)
}

fn query(name: &str) -> Option<Source> {
    let (name, each) = match name.strip_suffix("/*") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let source = if each {
        Source::QueryEach(name.into())
    } else {
        Source::Query(name.into())
    };
    (!name.is_empty()).then_some(source)
}

fn path_source(name: &str, patterns: &[Pattern]) -> Result<Source, String> {
    // Alternatives are literal, so all patterns of a route have the same names.
    let Some(pattern) = patterns.iter().find(|pattern| !pattern.has_param(name)) else {
        return Ok(Source::Path(name.into()));
    };
    let help = did_you_mean(name, pattern.params());
    Err(format!("the path has no `{{{name}}}`{help}"))
}

fn pointer_in(text: &str) -> Result<Pointer, String> {
    text.parse::<Pointer>().map_err(|error| error.to_string())
}

/// `/key/0/*`.
pub(super) fn pointer(reader: Reader<'_>, node: &Node) -> Option<Pointer> {
    match node.text() {
        // The whole of it.
        Some("") => pointer_in("").ok(),
        _ => reader.parsed(node, "a JSON pointer", pointer_in),
    }
}

/// `response.body./pointer`.
pub(super) fn response(reader: Reader<'_>, node: &Node) -> Option<Pointer> {
    const EXPECTED: &str = "a place in the answer; write `response.body./pointer`";
    reader.parsed(node, EXPECTED, |text| {
        let pointer = text.strip_prefix("response.body.");
        pointer_in(pointer.ok_or_else(|| format!("`{text}` is not {EXPECTED}"))?)
    })
}

/// Either of both.
pub(super) fn label(
    reader: Reader<'_>,
    node: &Node,
    patterns: Option<&[Pattern]>,
) -> Option<LabelSource> {
    if node
        .text()
        .is_some_and(|text| text.starts_with("response."))
    {
        response(reader, node).map(LabelSource::Response)
    } else {
        source(reader, node, patterns).map(LabelSource::Request)
    }
}
