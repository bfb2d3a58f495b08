//! A request of the gateway's own, with ids put into it.
//!
//! Ids come from clients. In a target they are percent-encoded to the last sign; one that
//! would still be more than a segment of a path (`..`, or with a slash, which many servers
//! decode before they look for the route) is put into none.

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use crate::policy::OwnRequest;

/// Stands for an id.
const ID: &str = "{id}";
/// Stands for an array of ids.
const IDS: &str = "{ids}";

/// All but RFC 3986 unreserved.
pub(super) const ENCODE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A request that can be sent.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Question {
    pub(in crate::proxy) method: Method,
    pub(in crate::proxy) target: String,
    pub(in crate::proxy) body: Option<Bytes>,
}

impl Question {
    /// About one object; `None` if its id cannot be asked for.
    pub(in crate::proxy) fn of_one(request: &OwnRequest, id: &str) -> Option<Self> {
        Some(Self {
            method: request.method.clone(),
            target: target(&request.target, id)?,
            body: body(request, &[id]),
        })
    }

    /// About many, all named in the body.
    pub(in crate::proxy) fn of_many(request: &OwnRequest, ids: &[&str]) -> Self {
        Self {
            method: request.method.clone(),
            target: request.target.to_string(),
            body: body(request, ids),
        }
    }
}

fn target(template: &str, id: &str) -> Option<String> {
    let (path, query) = match template.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (template, None),
    };
    if path.contains(ID) && !is_one_segment(id) {
        return None;
    }
    let encoded = utf8_percent_encode(id, ENCODE).to_string();
    let mut target = path.replace(ID, &encoded);
    if let Some(query) = query {
        target.push('?');
        target.push_str(&query.replace(ID, &encoded));
    }
    Some(target)
}

fn is_one_segment(id: &str) -> bool {
    let odd = |sign: char| matches!(sign, '/' | '\\' | '%' | ';') || sign.is_control();
    !matches!(id, "" | "." | "..") && !id.contains(odd)
}

fn body(request: &OwnRequest, ids: &[&str]) -> Option<Bytes> {
    let body = request.body.as_ref()?;
    Some(filled(body, ids).to_string().into())
}

fn filled(value: &Json, ids: &[&str]) -> Json {
    match value {
        Json::String(text) if text == ID => ids.first().copied().into(),
        Json::String(text) if text == IDS => ids.into(),
        Json::Array(items) => items.iter().map(|item| filled(item, ids)).collect(),
        Json::Object(members) => {
            let members = members.iter();
            members
                .map(|(key, value)| (key.clone(), filled(value, ids)))
                .collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(target: &str, body: Option<Json>) -> OwnRequest {
        OwnRequest {
            method: Method::POST,
            target: target.into(),
            body,
        }
    }

    fn asked(target: &str, id: &str) -> Option<String> {
        Question::of_one(&request(target, None), id).map(|question| question.target)
    }

    #[test]
    fn an_id_stays_one_value_of_the_query() {
        let target = |id| asked("/runs/get?run_id={id}&x=1", id).unwrap();
        assert_eq!(target("abc"), "/runs/get?run_id=abc&x=1");
        assert_eq!(
            target("a&run_id=b#c d/..%2F\r\n{id}é"),
            "/runs/get?run_id=a%26run_id%3Db%23c%20d%2F..%252F%0D%0A%7Bid%7D%C3%A9&x=1"
        );
    }

    #[test]
    fn an_id_stays_one_segment_of_the_path_or_is_not_asked_for() {
        assert_eq!(asked("/m/{id}/x", "a b?c").unwrap(), "/m/a%20b%3Fc/x");
        for id in ["", ".", "..", "a/b", "a\\b", "a%2fb", "a;b", "a\nb"] {
            assert_eq!(asked("/m/{id}/x", id), None, "{id:?}");
        }
    }

    #[test]
    fn in_a_body_an_id_stays_a_text() {
        let body = json!({"id": "{id}", "all": "{ids}", "n": 1, "t": "x{id}"});
        let request = request("/x", Some(body));
        let question = Question::of_many(&request, &["a\"}", "{ids}"]);
        let sent: Json = serde_json::from_slice(&question.body.unwrap()).unwrap();
        let expected = json!({"id": "a\"}", "all": ["a\"}", "{ids}"], "n": 1, "t": "x{id}"});
        assert_eq!(sent, expected);
    }
}
