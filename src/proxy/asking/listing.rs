//! All objects of a type, as a backend lists them: for whoever adopts them.

use http::Method;
use percent_encoding::utf8_percent_encode;
use serde_json::{Map, Value as Json};

use super::question::ENCODE;
use super::{Asker, Question};
use crate::clock::Clock;
use crate::config::Settings;
use crate::policy::json_text::{Unreadable, id_at, values_at};
use crate::policy::{ListRequest, Pointer, PointerSegment, Source};
use crate::proxy::upstream::{UpstreamError, Upstreams};
use crate::telemetry::Metrics;

/// Pages that are asked for at most.
const MOST_PAGES: usize = 10_000;

/// An object in a backend's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// Its id.
    pub id: String,
    /// All that the list says of it, as JSON.
    pub item: String,
}

/// A backend cannot be asked what it holds.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// There is no such upstream.
    #[error("there is no upstream `{0}`")]
    NoUpstream(String),
    /// It cannot be set up.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// It gave no answer.
    #[error("the backend gave no answer: {0}")]
    Unanswered(&'static str),
    /// It refused.
    #[error("the backend answered with status {0}")]
    Refused(u16),
    /// It answered otherwise than the configuration says.
    #[error("the answer does not hold what `list:` says")]
    Unreadable,
    /// It has ever more pages.
    #[error("the list does not end")]
    Endless,
}

impl From<Unreadable> for ListingError {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

/// Asks backends for lists.
pub struct Listings {
    asker: Asker,
    upstreams: Upstreams,
}

impl Listings {
    /// Of the backends in these settings.
    ///
    /// # Errors
    ///
    /// If one of them cannot be set up.
    pub async fn new(settings: &Settings, clock: &Clock) -> Result<Self, ListingError> {
        let (metrics, backends) = (Metrics::new(), settings.upstreams.values());
        let upstreams = Upstreams::new(backends, None, clock, &metrics.upstreams).await?;
        Ok(Self {
            asker: Asker::default(),
            upstreams,
        })
    }

    /// All objects that the backend lists.
    ///
    /// # Errors
    ///
    /// If it does not answer as `list` says.
    pub async fn all(
        &self,
        upstream: &str,
        list: &ListRequest,
    ) -> Result<Vec<ListedObject>, ListingError> {
        let backend = self.upstreams.find(upstream);
        let backend = backend.ok_or_else(|| ListingError::NoUpstream(upstream.to_owned()))?;
        let mut objects = Vec::new();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let question = page(list, token.as_deref());
            let reply = self.asker.ask(backend, &question).await;
            let reply = reply.map_err(|failure| ListingError::Unanswered(failure.code()))?;
            if !(200..300).contains(&reply.status) {
                return Err(ListingError::Refused(reply.status));
            }
            let text = std::str::from_utf8(&reply.body).map_err(|_| ListingError::Unreadable)?;
            collect(text, list, &mut objects)?;
            token = match &list.pages {
                Some((next, _)) => id_at(text, next)?.filter(|token| !token.is_empty()),
                None => None,
            };
            if token.is_none() {
                return Ok(objects);
            }
        }
        Err(ListingError::Endless)
    }
}

fn collect(
    text: &str,
    list: &ListRequest,
    objects: &mut Vec<ListedObject>,
) -> Result<(), Unreadable> {
    for items in values_at(text, &list.items)? {
        for item in values_at(items, &Pointer::each())? {
            let id = id_at(item, &list.id)?.ok_or(Unreadable)?;
            objects.push(ListedObject {
                id,
                item: item.to_owned(),
            });
        }
    }
    Ok(())
}

/// The question for the page that a token names; without one for the first.
fn page(list: &ListRequest, token: Option<&str>) -> Question {
    let mut target = list.request.target.to_string();
    let mut body = list.request.body.clone();
    if let (Some(token), Some((_, place))) = (token, &list.pages) {
        match place {
            Source::Query(name) => {
                let mark = if target.contains('?') { '&' } else { '?' };
                let token = utf8_percent_encode(token, ENCODE);
                target = format!("{target}{mark}{name}={token}");
            }
            Source::Body(pointer) => put(body.get_or_insert(Json::Null), pointer, token),
            Source::Path(_) | Source::QueryEach(_) | Source::Header(_) => {}
        }
    }
    let has_body = list.request.method != Method::GET;
    Question {
        method: list.request.method.clone(),
        target,
        body: body
            .filter(|_| has_body)
            .map(|body| body.to_string().into()),
    }
}

fn put(body: &mut Json, pointer: &Pointer, text: &str) {
    let mut place = body;
    for step in pointer.segments() {
        let PointerSegment::Key(key) = step else {
            return;
        };
        if !place.is_object() {
            *place = Json::Object(Map::new());
        }
        let Json::Object(members) = place else {
            return;
        };
        place = members.entry(key.to_string()).or_insert(Json::Null);
    }
    *place = text.into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::OwnRequest;

    fn list(method: Method, target: &str, body: Option<Json>, token: Source) -> ListRequest {
        ListRequest {
            request: OwnRequest {
                method,
                target: target.into(),
                body,
            },
            items: "/things".parse().unwrap(),
            id: "/id".parse().unwrap(),
            pages: Some(("/next".parse().unwrap(), token)),
        }
    }

    #[test]
    fn a_token_stays_one_value() {
        let by_query = list(Method::GET, "/t?n=5", None, Source::Query("after".into()));
        assert_eq!(page(&by_query, None).target, "/t?n=5");
        let second = page(&by_query, Some("a&n=9 "));
        assert_eq!(second.target, "/t?n=5&after=a%26n%3D9%20");
        assert_eq!(second.body, None);
        let body = serde_json::json!({ "n": 5 });
        let by_body = list(
            Method::POST,
            "/t",
            Some(body),
            Source::Body("/p/t".parse().unwrap()),
        );
        let second = page(&by_body, Some("\"}")).body.unwrap();
        let second: Json = serde_json::from_slice(&second).unwrap();
        assert_eq!(second, serde_json::json!({ "n": 5, "p": { "t": "\"}" } }));
    }

    #[test]
    fn an_item_without_an_id_is_no_list_of_objects() {
        let list = list(Method::GET, "/t", None, Source::Query("after".into()));
        let mut objects = Vec::new();
        collect(r#"{"things": [{"id": 7, "a": "b"}]}"#, &list, &mut objects).unwrap();
        assert_eq!(
            (&*objects[0].id, &*objects[0].item),
            ("7", r#"{"id": 7, "a": "b"}"#)
        );
        assert!(collect(r#"{"things": [{"a": "b"}]}"#, &list, &mut objects).is_err());
    }
}
