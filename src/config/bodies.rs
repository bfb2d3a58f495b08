//! `bodies:` and the `body:` of a route: how bodies are read before anything is decided.

use super::node::Node;
use super::reader::{Fields, Reader};
use super::units;
use crate::policy::{BodyFormat, BodyRule, Keys};

/// An inspected body is in memory as a whole.
const MOST: u64 = 64 << 20;
const DEFAULT: u64 = 1 << 20;

/// What is said for all routes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bodies {
    pub keys: Option<Keys>,
    pub max: Option<u64>,
}

impl Bodies {
    pub fn read(reader: Reader<'_>, parent: &Fields<'_>) -> Self {
        let node = parent.get("bodies");
        let Some(fields) = node.and_then(|node| reader.fields(node, &["keys", "max"])) else {
            return Self::default();
        };
        Self {
            keys: keys(reader, &fields),
            max: max(reader, &fields),
        }
    }

    /// With what `other` says where this says nothing.
    pub fn or(self, other: Self) -> Self {
        Self {
            keys: self.keys.or(other.keys),
            max: self.max.or(other.max),
        }
    }

    /// How a route that says no more reads its bodies.
    pub fn rule(self) -> BodyRule {
        BodyRule {
            types: types_of(BodyFormat::Json),
            max: self.max.unwrap_or(DEFAULT),
            keys: self.keys.unwrap_or_default(),
            format: BodyFormat::Json,
        }
    }
}

/// The value of a route's `body:`.
pub(super) fn rule(reader: Reader<'_>, node: &Node, defaults: Bodies) -> Option<BodyRule> {
    let fields = reader.fields(node, &["types", "max", "keys", "format"])?;
    let formats = [("json", BodyFormat::Json), ("grpc", BodyFormat::Grpc)];
    let format = fields.get("format");
    let format = format.and_then(|node| reader.choice(node, &formats));
    let format = format.unwrap_or_default();
    let own = Bodies {
        keys: keys(reader, &fields),
        max: max(reader, &fields),
    };
    let types = fields.get("types").map(|node| {
        let items = reader.list(node).iter();
        items.filter_map(|item| media_type(reader, item)).collect()
    });
    Some(BodyRule {
        types: types.unwrap_or_else(|| types_of(format)),
        format,
        ..own.or(defaults).rule()
    })
}

fn types_of(format: BodyFormat) -> Vec<Box<str>> {
    let types: &[&str] = match format {
        BodyFormat::Json => &["application/json"],
        BodyFormat::Grpc => &["application/grpc", "application/grpc+proto"],
    };
    types.iter().map(|it| (*it).into()).collect()
}

fn media_type(reader: Reader<'_>, node: &Node) -> Option<Box<str>> {
    const EXPECTED: &str = "a content type without parameters, as in `application/json`";
    reader.parsed(node, EXPECTED, |text| {
        let sign = |c: char| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c);
        let part = |text: &str| !text.is_empty() && text.chars().all(sign);
        match text.split_once('/') {
            Some((kind, name)) if part(kind) && part(name) => Ok(text.into()),
            _ => Err(format!("`{text}` is not {EXPECTED}")),
        }
    })
}

fn keys(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Keys> {
    let node = fields.get("keys")?;
    reader.choice(node, &[("exact", Keys::Exact), ("folded", Keys::Folded)])
}

fn max(reader: Reader<'_>, fields: &Fields<'_>) -> Option<u64> {
    let node = fields.get("max")?;
    let max = reader.size(node, 1)?;
    if max > MOST {
        let most = units::show_size(MOST);
        reader.report(node.place, format!("must be at most {most}"));
    }
    Some(max)
}
