//! `forbid:` and `only:`: what may stand in a request.

use std::sync::Arc;

use super::super::node::Node;
use super::super::reader::Fields;
use super::super::source;
use super::Context;
use crate::policy::{ForbidRule, OnlyRule, Source};

/// `{ at: body./tags/*/key, values: [a], prefixes: [b], reason: "…" }`.
pub(super) fn forbid(context: Context<'_>, node: &Node) -> Option<ForbidRule> {
    let reader = context.reader;
    let fields = reader.fields(node, &["at", "values", "prefixes", "reason"])?;
    let at = at(context, &fields);
    let reason = reason(context, &fields);
    let values = texts(context, &fields, "values");
    let prefixes = texts(context, &fields, "prefixes");
    Some(ForbidRule {
        at: at?,
        values,
        prefixes,
        reason: reason?,
    })
}

/// `{ at: body./operation, values: [a], reason: "…" }`.
pub(super) fn only(context: Context<'_>, node: &Node) -> Option<OnlyRule> {
    let reader = context.reader;
    let fields = reader.fields(node, &["at", "values", "reason"])?;
    let at = at(context, &fields);
    let reason = reason(context, &fields);
    fields.required("values");
    let values = texts(context, &fields, "values");
    Some(OnlyRule {
        at: at?,
        values,
        reason: reason?,
    })
}

fn at(context: Context<'_>, fields: &Fields<'_>) -> Option<Source> {
    let node = fields.required("at")?;
    source::source(context.reader, node, context.patterns)
}

/// Told to the caller, so that nobody is refused without knowing why.
fn reason(context: Context<'_>, fields: &Fields<'_>) -> Option<Arc<str>> {
    let node = fields.required("reason")?;
    context.reader.text(node).map(Arc::from)
}

fn texts(context: Context<'_>, fields: &Fields<'_>, key: &str) -> Vec<Box<str>> {
    let Some(node) = fields.get(key) else {
        return Vec::new();
    };
    let reader = context.reader;
    let items = reader.list(node);
    if items.is_empty() {
        reader.report(node.place, format!("`{key}` is empty"));
    }
    let items = items.iter();
    items
        .filter_map(|item| reader.text(item).map(Box::from))
        .collect()
}
