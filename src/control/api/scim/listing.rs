//! Lists, and what of a resource is shown (RFC 7644 §3.4.2, §3.9).

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Refusal, with_body};
use super::filter::{Filter, path};
use super::read::Sent;
use crate::control::api::Api;

/// Most resources of one answer.
pub(super) const MOST: usize = 200;
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// What is always shown.
const ALWAYS: [&str; 2] = ["schemas", "id"];

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    attributes: Option<String>,
    excluded_attributes: Option<String>,
}

/// Which resources are asked for, and what of them.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) filter: Option<Filter>,
    /// From 1.
    start: usize,
    count: usize,
    shown: Option<Vec<Vec<String>>>,
    hidden: Vec<Vec<String>>,
}

impl FromRequestParts<Api> for Wanted {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let asked: Result<Query<Asked>, QueryRejection> =
            Query::from_request_parts(parts, api).await;
        let Query(asked) =
            asked.map_err(|_| Refusal::value("A parameter of the query cannot be read."))?;
        Self::of(&asked)
    }
}

impl Wanted {
    /// As a search has it (RFC 7644 §3.4.3): lists instead of commas.
    pub(super) fn from_body(Sent(mut sent): Sent) -> Result<Self, Refusal> {
        for name in ["attributes", "excludedAttributes"] {
            if let Some(Value::Array(names)) = sent.get(name) {
                let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
                let joined = Value::String(names.join(","));
                sent.insert(name.to_owned(), joined);
            }
        }
        let asked: Result<Asked, _> = serde_json::from_value(Value::Object(sent));
        let asked = asked.map_err(|_| Refusal::value("The search cannot be read."))?;
        Self::of(&asked)
    }

    fn of(asked: &Asked) -> Result<Self, Refusal> {
        let filter = asked.filter.as_deref().map(Filter::parse).transpose()?;
        let at_least = |number: Option<i64>, least: i64, usual: i64| {
            usize::try_from(number.unwrap_or(usual).max(least)).unwrap_or(usize::MAX)
        };
        Ok(Self {
            filter,
            start: at_least(asked.start_index, 1, 1),
            count: at_least(asked.count, 0, i64::MAX).min(MOST),
            shown: asked.attributes.as_deref().map(paths),
            hidden: asked
                .excluded_attributes
                .as_deref()
                .map_or_else(Vec::new, paths),
        })
    }

    /// A page of those that are asked for.
    pub(super) fn page(&self, all: Vec<Value>) -> Response {
        let is_wanted = |each: &Value| self.filter.as_ref().is_none_or(|filter| filter.holds(each));
        let found: Vec<_> = all.into_iter().filter(is_wanted).collect();
        let total = found.len();
        let page = found.into_iter().skip(self.start - 1).take(self.count);
        let page: Vec<_> = page.map(|each| self.seen(each)).collect();
        let body = json!({
            "schemas": [LIST], "totalResults": total, "itemsPerPage": page.len(),
            "startIndex": self.start, "Resources": page,
        });
        with_body(StatusCode::OK, &body)
    }

    /// What of a resource is asked for.
    pub(super) fn seen(&self, mut whole: Value) -> Value {
        if let Some(fields) = whole.as_object_mut() {
            if let Some(shown) = &self.shown {
                fields.retain(|name, value| {
                    ALWAYS.contains(&&**name) || narrowed(name, value, shown)
                });
            }
            fields.retain(|name, value| {
                ALWAYS.contains(&&**name) || !hides(name, value, &self.hidden)
            });
        }
        whole
    }
}

/// Everything, on one page.
pub(super) fn list_of(all: &[Value]) -> Response {
    let body = json!({
        "schemas": [LIST], "totalResults": all.len(), "itemsPerPage": all.len(), "startIndex": 1,
        "Resources": all,
    });
    with_body(StatusCode::OK, &body)
}

fn paths(text: &str) -> Vec<Vec<String>> {
    text.split(',')
        .filter_map(|name| path(name.trim()))
        .collect()
}

/// Whether an attribute is shown; of one with parts only those that are named.
fn narrowed(name: &str, value: &mut Value, shown: &[Vec<String>]) -> bool {
    let mut parts = Vec::new();
    for path in shown
        .iter()
        .filter(|path| path[0].eq_ignore_ascii_case(name))
    {
        match path.get(1) {
            None => return true,
            Some(part) => parts.push(part),
        }
    }
    let is_named = |own: &String| parts.iter().any(|part| part.eq_ignore_ascii_case(own));
    for fields in objects(value) {
        fields.retain(|own, _| is_named(own));
    }
    !parts.is_empty()
}

/// Whether an attribute is hidden; if only parts of it are, they are taken away.
fn hides(name: &str, value: &mut Value, hidden: &[Vec<String>]) -> bool {
    for path in hidden
        .iter()
        .filter(|path| path[0].eq_ignore_ascii_case(name))
    {
        let Some(part) = path.get(1) else {
            return true;
        };
        for fields in objects(value) {
            fields.retain(|own, _| !part.eq_ignore_ascii_case(own));
        }
    }
    false
}

fn objects(value: &mut Value) -> Vec<&mut serde_json::Map<String, Value>> {
    match value {
        Value::Array(all) => all.iter_mut().filter_map(Value::as_object_mut).collect(),
        Value::Object(fields) => vec![fields],
        _ => Vec::new(),
    }
}
