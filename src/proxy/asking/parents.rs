//! Which object another belongs to, as the backend tells.

use std::collections::HashMap;

use super::{Asker, Question, Reply};
use crate::policy::json_text::{Unreadable, id_at, values_at};
use crate::policy::{Asking, BulkLookup, Pointer, SingleLookup};
use crate::proxy::rescue::Failure;
use crate::proxy::upstream::Upstream;

/// What a backend tells of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// The id of what it belongs to.
    Is(String),
    /// It belongs to nothing, or the backend will not tell.
    Unknown,
    /// There is no such child.
    NoChild,
}

impl Parent {
    fn of(id: Option<String>) -> Self {
        id.map_or(Self::Unknown, Self::Is)
    }
}

impl Asker {
    /// The parents of these children, in their order.
    pub(super) async fn parents(
        &self,
        upstream: &Upstream,
        via: &Asking,
        children: &[&str],
    ) -> Result<Vec<Parent>, Failure> {
        match &via.bulk {
            Some(bulk) if children.len() > 1 => {
                let mut parents = Vec::with_capacity(children.len());
                for chunk in children.chunks(bulk.max.max(1)) {
                    parents.extend(self.chunk(upstream, via, bulk, chunk).await?);
                }
                Ok(parents)
            }
            _ => self.one_by_one(upstream, &via.one, children).await,
        }
    }

    /// A backend may refuse all for the sake of one: then each is asked for by itself.
    async fn chunk(
        &self,
        upstream: &Upstream,
        via: &Asking,
        bulk: &BulkLookup,
        children: &[&str],
    ) -> Result<Vec<Parent>, Failure> {
        let question = Question::of_many(&bulk.request, children);
        let reply = self.ask(upstream, &question).await?;
        let Some(text) = told(&reply)? else {
            return self.one_by_one(upstream, &via.one, children).await;
        };
        let told = pairs(text, bulk).map_err(|Unreadable| Failure::UpstreamBroken)?;
        let mut parents = Vec::with_capacity(children.len());
        for child in children {
            parents.push(match told.get(*child) {
                Some(parent) => Parent::Is(parent.clone()),
                // Left out: for want of the object, or of a will to tell.
                None => self.parent(upstream, &via.one, child).await?,
            });
        }
        Ok(parents)
    }

    async fn one_by_one(
        &self,
        upstream: &Upstream,
        lookup: &SingleLookup,
        children: &[&str],
    ) -> Result<Vec<Parent>, Failure> {
        let mut parents = Vec::with_capacity(children.len());
        for child in children {
            parents.push(self.parent(upstream, lookup, child).await?);
        }
        Ok(parents)
    }

    async fn parent(
        &self,
        upstream: &Upstream,
        lookup: &SingleLookup,
        child: &str,
    ) -> Result<Parent, Failure> {
        let Some(question) = Question::of_one(&lookup.request, child) else {
            return Ok(Parent::Unknown);
        };
        let reply = self.ask(upstream, &question).await?;
        match told(&reply)? {
            Some(text) => read(text, &lookup.parent_id).map(Parent::of),
            None if is_absent(&reply) => Ok(Parent::NoChild),
            None => Ok(Parent::Unknown),
        }
    }
}

fn read(text: &str, pointer: &Pointer) -> Result<Option<String>, Failure> {
    id_at(text, pointer).map_err(|Unreadable| Failure::UpstreamBroken)
}

/// Whether the backend says that there is no such object, and not that the question is wrong.
const fn is_absent(reply: &Reply) -> bool {
    matches!(reply.status, 404 | 410)
}

/// What a backend told; `None` if it has no such object. Any other refusal says nothing of
/// the object.
fn told(reply: &Reply) -> Result<Option<&str>, Failure> {
    match reply.status {
        200..=299 => {
            let text = std::str::from_utf8(&reply.body);
            text.map(Some).map_err(|_| Failure::UpstreamBroken)
        }
        400 | 404 | 410 => Ok(None),
        _ => Err(Failure::UpstreamBroken),
    }
}

/// Parents by child. Two that disagree about one child are no answer.
fn pairs(text: &str, bulk: &BulkLookup) -> Result<HashMap<String, String>, Unreadable> {
    let mut told = HashMap::new();
    for list in values_at(text, &bulk.items)? {
        for item in values_at(list, &Pointer::each())? {
            let (child, parent) = (id_at(item, &bulk.id)?, id_at(item, &bulk.parent_id)?);
            if let (Some(child), Some(parent)) = (child, parent)
                && let Some(other) = told.insert(child, parent.clone())
                && other != parent
            {
                return Err(Unreadable);
            }
        }
    }
    Ok(told)
}
