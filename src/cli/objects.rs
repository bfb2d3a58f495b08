//! What a route says about objects, in a line.

use std::fmt::Write as _;

use crate::policy::{ResourceRule, Route};

/// `run, model?; creates experiment; sets query.project; reads the body`; nothing for a route
/// that says nothing.
pub(super) fn summary(route: &Route) -> String {
    let objects = &route.objects;
    let named = route.resource.iter().chain(&objects.references);
    let mut parts = vec![joined("", named.map(rule))];
    let created = objects.creates.iter().map(|rule| rule.kind.to_string());
    parts.push(joined("creates ", created));
    if objects.deletes {
        parts.push("deletes it".to_owned());
    }
    let filtered = objects.filters.iter().map(|rule| rule.kind.to_string());
    parts.push(joined("filters ", filtered));
    let forbidden = objects.forbid.iter().map(|rule| rule.at.to_string());
    parts.push(joined("forbids ", forbidden));
    let only = objects.only.iter().map(|rule| rule.at.to_string());
    parts.push(joined("limits ", only));
    let set = objects.set.iter().map(|rule| rule.at.to_string());
    parts.push(joined("sets ", set));
    if objects.body.is_some() {
        parts.push("reads the body".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

fn joined(before: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return String::new();
    }
    format!("{before}{}", items.join(", "))
}

/// `?` for one that may be missing, `(backend)` for one that is not checked here.
fn rule(rule: &ResourceRule) -> String {
    let mut text = rule.kind.to_string();
    for form in &rule.forms {
        if !text.split('|').any(|kind| *kind == *form.kind) {
            let _ = write!(text, "|{}", form.kind);
        }
    }
    if rule.optional {
        text.push('?');
    }
    if rule.backend {
        text.push_str(" (backend)");
    }
    text
}
