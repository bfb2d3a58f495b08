//! Requests that the gateway itself sends to a backend.

use http::uri::PathAndQuery;
use serde_json::Value as Json;

use super::reader::{Fields, Reader};
use super::{body, route};
use crate::policy::OwnRequest;

/// What is filled in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// Nothing.
    None,
    /// `{id}`, in the target or as a text of the body.
    One,
    /// `{ids}`, as a text of the body.
    Several,
}

/// `request: "GET /path?x={id}"` and `body:`.
pub(super) fn read(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    placeholder: Placeholder,
) -> Option<OwnRequest> {
    let node = fields.required("request")?;
    let line = reader.parsed(node, "a request; write `GET /path?id={id}`", |text| {
        let (method, target) = text.split_once(' ').ok_or("write `GET /path?id={id}`")?;
        check_target(target, placeholder)?;
        Ok::<_, String>((route::method(method)?, target.to_owned()))
    });
    let body = match fields.get("body") {
        Some(node) => Some(body::json(reader, node)?),
        None => None,
    };
    let (method, target) = line?;
    if let Some(problem) = missing(&target, body.as_ref(), placeholder) {
        reader.report(node.place, problem);
        return None;
    }
    Some(OwnRequest {
        method,
        target: target.into(),
        body,
    })
}

fn check_target(target: &str, placeholder: Placeholder) -> Result<(), String> {
    let filled = match placeholder {
        Placeholder::One => target.replace("{id}", "x"),
        Placeholder::None | Placeholder::Several => target.to_owned(),
    };
    if filled.contains(['{', '}']) {
        let known = match placeholder {
            Placeholder::One => "only `{id}` is filled in here",
            Placeholder::Several => "nothing is filled in here; write `{ids}` in `body`",
            Placeholder::None => "nothing is filled in here",
        };
        return Err(format!("`{target}`: {known}"));
    }
    let plain = filled.starts_with('/') && !filled.contains('#');
    match filled.parse::<PathAndQuery>() {
        Ok(_) if plain => Ok(()),
        _ => Err(format!("`{target}` is not a path with a query")),
    }
}

/// What is wrong with the places for ids.
fn missing(target: &str, body: Option<&Json>, placeholder: Placeholder) -> Option<String> {
    let texts = body.map(texts).unwrap_or_default();
    let (name, in_target) = match placeholder {
        Placeholder::None => return None,
        Placeholder::One => ("{id}", target.contains("{id}")),
        Placeholder::Several => ("{ids}", false),
    };
    if texts
        .iter()
        .any(|text| text.contains(name) && **text != *name)
    {
        // An id in the midst of a text could end what surrounds it.
        return Some(format!("`{name}` in `body` stands alone in its text"));
    }
    if in_target || texts.contains(&name) {
        return None;
    }
    Some(match placeholder {
        Placeholder::Several => "`{ids}` must stand in `body`".to_owned(),
        _ => "`{id}` must stand in the path, the query or `body`".to_owned(),
    })
}

fn texts(json: &Json) -> Vec<&str> {
    match json {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().flat_map(texts).collect(),
        Json::Object(entries) => entries.values().flat_map(texts).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => Vec::new(),
    }
}
