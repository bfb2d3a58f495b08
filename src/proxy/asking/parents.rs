//! Which object another belongs to, as the backend tells.

use std::collections::HashMap;

use super::{Asker, Question, Reply};
use crate::policy::json_text::{Unreadable, id_at, values_at};
use crate::policy::{Asking, BulkLookup, Pointer, SingleLookup};
use crate::proxy::rescue::Failure;
use crate::proxy::upstream::Upstream;

impl Asker {
    /// The parents of these children, in their order; `None` for one that the backend does
    /// not have.
    pub(super) async fn parents(
        &self,
        upstream: &Upstream,
        via: &Asking,
        children: &[&str],
    ) -> Result<Vec<Option<String>>, Failure> {
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
    ) -> Result<Vec<Option<String>>, Failure> {
        let question = Question::of_many(&bulk.request, children);
        let reply = self.ask(upstream, &question).await?;
        let Some(text) = told(&reply)? else {
            return self.one_by_one(upstream, &via.one, children).await;
        };
        let told = pairs(text, bulk).map_err(|Unreadable| Failure::UpstreamBroken)?;
        let parents = children.iter().map(|child| told.get(*child).cloned());
        Ok(parents.collect())
    }

    async fn one_by_one(
        &self,
        upstream: &Upstream,
        lookup: &SingleLookup,
        children: &[&str],
    ) -> Result<Vec<Option<String>>, Failure> {
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
    ) -> Result<Option<String>, Failure> {
        let Some(question) = Question::of_one(&lookup.request, child) else {
            return Ok(None);
        };
        let reply = self.ask(upstream, &question).await?;
        match told(&reply)? {
            Some(text) => read(text, &lookup.parent_id),
            None => Ok(None),
        }
    }
}

fn read(text: &str, pointer: &Pointer) -> Result<Option<String>, Failure> {
    id_at(text, pointer).map_err(|Unreadable| Failure::UpstreamBroken)
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
