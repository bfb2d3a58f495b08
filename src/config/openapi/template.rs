//! A templated path of OpenAPI: `/models/{name}:predict`.

use std::fmt;

/// A templated path in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    written: String,
    segments: Vec<Vec<Part>>,
}

/// A part of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself.
    Text(String),
    /// A value.
    Value {
        /// Its name, without what some frameworks put beside it.
        name: String,
        /// Whether it may hold `/`.
        slashes: bool,
        /// Whether it may be left out.
        optional: bool,
    },
}

impl Template {
    pub(super) fn parse(path: &str, may_hold_slashes: impl Fn(&str) -> bool) -> Self {
        let body = path.strip_prefix('/').unwrap_or(path);
        let segments = split(body).into_iter().map(|segment| {
            let mut parts = parts(segment);
            for part in &mut parts {
                if let Part::Value { name, slashes, .. } = part {
                    *slashes |= may_hold_slashes(name);
                }
            }
            parts
        });
        Self {
            written: path.to_owned(),
            segments: segments.collect(),
        }
    }

    /// The segments; the last one has no parts if the path ends in `/`.
    #[must_use]
    pub fn segments(&self) -> &[Vec<Part>] {
        &self.segments
    }

    /// All parts.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.segments.iter().flatten()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// At each `/` outside of braces: `{path:[^/]+}` is one segment.
fn split(path: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let mut segments = Vec::new();
    let mut start = 0;
    for (at, c) in path.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                segments.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.push(&path[start..]);
    segments
}

fn parts(segment: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inner, after)) = after.split_once('}') else {
            break;
        };
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(value(inner));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    parts
}

/// OpenAPI knows `{name}` only; what frameworks leave in their descriptions beside the
/// name (`{path:path}`, `{name=shelves/*}`, `{+path}`, `{path*}`, `{id?}`) says more.
fn value(inner: &str) -> Part {
    let (name, rest) = match inner.find([':', '=']) {
        Some(at) => inner.split_at(at),
        None => (inner, ""),
    };
    let optional = name.ends_with('?');
    let marked = name.starts_with('+') || name.ends_with('*') || name.ends_with("...");
    let name = name.trim_start_matches(['+', '*']);
    let name = name.trim_end_matches(['*', '.', '?']);
    let slashes = marked || rest == ":path" || rest.contains('*') || rest.contains('/');
    Part::Value {
        name: name.to_owned(),
        slashes,
        optional,
    }
}
