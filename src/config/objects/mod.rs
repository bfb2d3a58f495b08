//! What a route says about the objects of its backend.
//!
//! `references` reads which a request names, `answers` what is made of an answer, `content`
//! what may stand in a request, `set` and `names` what is written into it; `contradictions` refuses what
//! cannot be meant.

mod answers;
mod content;
mod contradictions;
mod names;
mod references;
mod set;

use std::sync::Arc;

use http::Method;

use super::bodies::{self, Bodies};
use super::node::Node;
use super::reader::{Fields, Reader};
use super::resources::Types;
use super::source;
use crate::domain::RoleScope;
use crate::policy::{BodyRule, Objects, OwnedHeaders, Pattern, Requirement, ResourceRule, Source};

pub(super) use references::resource;

/// The keys of a route that are read here, besides `resource`.
pub(super) const KEYS: [&str; 13] = [
    "references",
    "params",
    "forbid",
    "only",
    "names",
    "set",
    "creates",
    "deletes",
    "filter",
    "answers",
    "pages",
    "hide",
    "body",
];

/// What the rest of a route says.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub reader: Reader<'a>,
    pub fields: &'a Fields<'a>,
    pub types: &'a Types,
    pub bodies: Bodies,
    pub owned: &'a OwnedHeaders,
    pub patterns: Option<&'a [Pattern]>,
    pub methods: Option<&'a [Method]>,
    /// `None`: a mistake that was reported.
    pub upstream: Option<&'a str>,
    pub requirement: Option<&'a Requirement>,
    pub scope: RoleScope,
    pub websocket: bool,
    pub resource: Option<&'a ResourceRule>,
    pub project: Option<&'a Source>,
}

/// All of it. A wrong value counts as absent; its report keeps the settings from being.
pub(super) fn read(context: Context<'_>) -> Objects {
    let Context { reader, fields, .. } = context;
    let deletes = fields.get("deletes");
    let mut objects = Objects {
        references: context.each("references", references::reference),
        creates: context.one_or_each("creates", answers::create),
        deletes: deletes.is_some_and(|node| reader.boolean(node).unwrap_or_default()),
        filters: context.one_or_each("filter", answers::filter),
        answers: fields
            .get("answers")
            .and_then(|node| answers::about(context, node)),
        pages: fields
            .get("pages")
            .and_then(|node| answers::pages(context, node)),
        hide: context.each("hide", |context, node| {
            source::response(context.reader, node)
        }),
        recorded_at: None,
        params: params(context),
        names: names::read(context),
        set: context.each("set", set::rule),
        forbid: context.each("forbid", content::forbid),
        only: context.each("only", content::only),
        body: None,
        keys: context.bodies.keys.unwrap_or_default(),
    };
    names::complete(context, &mut objects);
    objects.body = body(context, &objects);
    if let Some(body) = &objects.body {
        objects.keys = body.keys;
    }
    contradictions::report(context, &objects);
    objects
}

impl<'a> Context<'a> {
    fn each<T>(self, key: &str, read: impl Fn(Self, &'a Node) -> Option<T>) -> Vec<T> {
        let Some(node) = self.fields.get(key) else {
            return Vec::new();
        };
        let items = self.reader.list(node).iter();
        items.filter_map(|item| read(self, item)).collect()
    }

    fn one_or_each<T>(self, key: &str, read: impl Fn(Self, &'a Node) -> Option<T>) -> Vec<T> {
        match self.fields.get(key) {
            Some(node) if !node.is_list() => read(self, node).into_iter().collect(),
            _ => self.each(key, read),
        }
    }

    /// Whether the backend keeps the owners of a type.
    fn is_backends(self, kind: &str) -> bool {
        self.upstream
            .is_some_and(|upstream| self.types.is_backends(upstream, kind))
    }
}

/// `{ name: source }`, for conditions.
fn params(context: Context<'_>) -> Vec<(Arc<str>, Source)> {
    let Context { reader, fields, .. } = context;
    let Some(node) = fields.get("params") else {
        return Vec::new();
    };
    let entries = reader.entries(node).into_iter();
    let params = entries.filter_map(|(name, key, value)| {
        let word = source::word(reader, key, "a name");
        let from = source::source(reader, value, context.patterns);
        let mut patterns = context.patterns.unwrap_or_default().iter();
        if patterns.any(|pattern| pattern.has_param(name)) {
            reader.report(
                key.place,
                format!("`{name}` is a value of the path already"),
            );
        }
        word.zip(from)
    });
    params.collect()
}

/// The body is read if the route says how, or names a place in it.
fn body(context: Context<'_>, objects: &Objects) -> Option<BodyRule> {
    if let Some(node) = context.fields.get("body") {
        return bodies::rule(context.reader, node, context.bodies);
    }
    let in_body = |source: &Source| matches!(source, Source::Body(_));
    let read = contradictions::sources(context, objects);
    let set = objects.set.iter().map(|rule| &rule.at);
    let forbidden = objects.forbid.iter().map(|rule| &rule.at);
    let mut all = read.into_iter().chain(set).chain(forbidden);
    all.any(in_body).then(|| context.bodies.rule())
}
