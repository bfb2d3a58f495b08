//! Where a request holds a value: `resource:` and `project:` of a route.

use std::sync::Arc;

use http::HeaderName;

use super::diagnostic::did_you_mean;
use super::identity;
use super::node::Node;
use super::reader::Reader;
use crate::policy::{Pattern, ResourceRule, Source};

/// `{ type: thing, id: path.thing_id }`.
pub(super) fn resource(
    reader: Reader<'_>,
    node: &Node,
    patterns: Option<&[Pattern]>,
) -> Option<ResourceRule> {
    let fields = reader.fields(node, &["type", "id"])?;
    let kind = fields.required("type");
    let kind = kind.and_then(|node| word(reader, node, "a resource type"));
    let id = fields.required("id");
    let id = id.and_then(|node| source(reader, node, patterns));
    Some(ResourceRule {
        kind: kind?,
        ids: vec![id?],
        optional: true,
        backend: false,
        absent: false,
        forms: Vec::new(),
    })
}

/// `a_b`, for types of resources.
fn word(reader: Reader<'_>, node: &Node, expected: &str) -> Option<Arc<str>> {
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

/// `path.NAME`, `query.NAME` or `header.NAME`.
pub(super) fn source(
    reader: Reader<'_>,
    node: &Node,
    patterns: Option<&[Pattern]>,
) -> Option<Source> {
    const EXPECTED: &str = "a source; write `path.NAME`, `query.NAME` or `header.NAME`";
    reader.parsed(node, EXPECTED, |text| match text.split_once('.') {
        Some(("path", name)) => path_source(name, patterns.unwrap_or_default()),
        Some(("query", name)) if !name.is_empty() => Ok(Source::Query(name.into())),
        Some(("header", name)) => {
            let header: HeaderName = name
                .parse()
                .map_err(|_| format!("`{name}` is not a header name"))?;
            match identity::refuse_source(header.as_str()) {
                Some(reason) => Err(format!("header `{name}` {reason}")),
                None => Ok(Source::Header(header)),
            }
        }
        Some(("body", _)) => Err(
            "`body.` sources are not supported in this release; use `path.`, `query.` or `header.`"
                .to_owned(),
        ),
        _ => Err(format!("`{text}` is not {EXPECTED}")),
    })
}

fn path_source(name: &str, patterns: &[Pattern]) -> Result<Source, String> {
    // Alternatives are literal, so all patterns of a route have the same names.
    let Some(pattern) = patterns.iter().find(|pattern| !pattern.has_param(name)) else {
        return Ok(Source::Path(name.into()));
    };
    let help = did_you_mean(name, pattern.params());
    Err(format!("the path has no `{{{name}}}`{help}"))
}
