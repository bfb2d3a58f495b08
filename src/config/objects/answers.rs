//! `creates:`, `filter:`, `answers:` and `pages:`: what is made of an answer.

use std::sync::Arc;

use super::super::node::Node;
use super::super::reader::Fields;
use super::super::{resources, source};
use super::Context;
use crate::policy::{AnswerRule, CreateRule, FilterRule, LabelSource, Ownership, PageRule};

/// `{ type: thing, id: response.body./id }`.
pub(super) fn create(context: Context<'_>, node: &Node) -> Option<CreateRule> {
    let reader = context.reader;
    let fields = reader.fields(node, &["type", "id", "labels", "optional"])?;
    let kind = fields.required("type");
    let kind = kind.and_then(|node| recorded(context, node));
    let id = fields.required("id");
    let id = id.and_then(|node| source::response(reader, node));
    let optional = fields.get("optional");
    let optional = optional.is_some_and(|node| reader.boolean(node).unwrap_or_default());
    let labels = labels(context, &fields);
    Some(CreateRule {
        kind: kind?,
        id: id?,
        labels,
        optional,
    })
}

/// A type whose owners the gateway records.
fn recorded(context: Context<'_>, node: &Node) -> Option<Arc<str>> {
    let kind = resources::kind(context.reader, node)?;
    let declared = context.types.ownership(context.upstream?, &kind);
    let problem = match declared {
        None | Some(Ownership::Recorded) => return Some(kind),
        Some(Ownership::Backend) => {
            format!("`{kind}` is `owner: backend`: there is nothing to record")
        }
        Some(Ownership::Via(via)) => {
            let parent = &via.parent;
            format!("`{kind}` belongs to its `{parent}`: there is nothing to record")
        }
    };
    context.reader.report(node.place, problem);
    None
}

fn labels(context: Context<'_>, fields: &Fields<'_>) -> Vec<(Arc<str>, LabelSource)> {
    let reader = context.reader;
    let Some(node) = fields.get("labels") else {
        return Vec::new();
    };
    let entries = reader.entries(node).into_iter();
    let labels = entries.filter_map(|(_, key, value)| {
        let name = source::word(reader, key, "a label");
        let from = source::label(reader, value, context.patterns);
        name.zip(from)
    });
    labels.collect()
}

/// `{ items: response.body./things, type: thing, id: /id }`.
pub(super) fn filter(context: Context<'_>, node: &Node) -> Option<FilterRule> {
    let reader = context.reader;
    let fields = reader.fields(node, &["items", "type", "id", "optional"])?;
    let optional = fields.get("optional");
    let optional = optional.is_some_and(|node| reader.boolean(node).unwrap_or_default());
    let items = fields.required("items");
    let items = items.and_then(|node| source::response(reader, node));
    let kind_node = fields.required("type");
    let kind = kind_node.and_then(|node| resources::kind(reader, node));
    let id = fields.required("id");
    let id = id.and_then(|node| source::pointer(reader, node));
    let kind = kind?;
    if context.is_backends(&kind) {
        let problem = format!("`{kind}` is `owner: backend`: nobody here knows what to leave out");
        reader.report(kind_node?.place, problem);
    }
    Some(FilterRule {
        optional,
        items: items?,
        kind,
        id: id?,
    })
}

/// `{ type: thing, id: response.body./thing/id }`.
pub(super) fn about(context: Context<'_>, node: &Node) -> Option<AnswerRule> {
    let reader = context.reader;
    let fields = reader.fields(node, &["type", "id"])?;
    let kind_node = fields.required("type");
    let kind = kind_node.and_then(|node| resources::kind(reader, node));
    let id = fields.required("id");
    let id = id.and_then(|node| source::response(reader, node));
    let kind = kind?;
    if context.is_backends(&kind) {
        let problem = format!("`{kind}` is `owner: backend`: nobody here knows whose it is");
        reader.report(kind_node?.place, problem);
    }
    Some(AnswerRule { kind, id: id? })
}

/// `{ size: query.limit, token: query.after, next: response.body./next }`.
pub(super) fn pages(context: Context<'_>, node: &Node) -> Option<PageRule> {
    let reader = context.reader;
    let fields = reader.fields(node, &["size", "default", "most", "token", "next"])?;
    let place = |key| {
        let node = fields.required(key);
        node.and_then(|node| source::source(reader, node, context.patterns))
    };
    let (size, token) = (place("size"), place("token"));
    let default = fields.required("default");
    let default = default.and_then(|node| reader.integer(node, &(1..=1_000_000)));
    let most = match fields.get("most") {
        Some(node) => Some(most(context, node, default)?),
        None => None,
    };
    let next = fields.required("next");
    let next = next.and_then(|node| source::response(reader, node));
    Some(PageRule {
        size: size?,
        default: default?,
        most,
        token: token?,
        next: next?,
    })
}

/// The backend's largest page.
fn most(context: Context<'_>, node: &Node, default: Option<u32>) -> Option<u32> {
    let reader = context.reader;
    let most = reader.integer(node, &(1..=1_000_000))?;
    if default.is_some_and(|default| most < default) {
        reader.report(node.place, "`most` is less than `default`".to_owned());
        return None;
    }
    Some(most)
}
