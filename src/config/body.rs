//! JSON written as YAML: fixed, or with templates in its texts.

use serde_json::{Number, Value as Json};

use super::node::{Node, Value};
use super::reader::Reader;
use crate::policy::BodyTemplate;

/// A body with templates.
pub(super) fn template(reader: Reader<'_>, node: &Node) -> Option<BodyTemplate> {
    Some(match &node.value {
        Value::Text(text) if text.value.is_empty() => BodyTemplate::Fixed(Json::from("")),
        Value::Text(_) => BodyTemplate::Text(super::identity::template(reader, node)?),
        Value::List(items) => {
            let items = items.iter().map(|item| template(reader, item));
            BodyTemplate::List(items.collect::<Option<_>>()?)
        }
        Value::Map(_) => {
            let entries = reader.entries(node).into_iter();
            let entries =
                entries.map(|(key, _, value)| Some((key.to_owned(), template(reader, value)?)));
            BodyTemplate::Map(entries.collect::<Option<_>>()?)
        }
        _ => BodyTemplate::Fixed(json(reader, node)?),
    })
}

/// A fixed body.
pub(super) fn json(reader: Reader<'_>, node: &Node) -> Option<Json> {
    Some(match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(value) => Json::Number(Number::from_i128(*value)?),
        Value::Float(value) => Json::Number(Number::from_f64(*value)?),
        Value::Text(text) => Json::String(text.value.clone()),
        Value::List(items) => {
            let items = items.iter().map(|item| json(reader, item));
            Json::Array(items.collect::<Option<_>>()?)
        }
        Value::Map(_) => {
            let entries = reader.entries(node).into_iter();
            let entries =
                entries.map(|(key, _, value)| Some((key.to_owned(), json(reader, value)?)));
            Json::Object(entries.collect::<Option<_>>()?)
        }
        Value::Unresolved => return None,
    })
}
