//! What a route says and cannot mean.

use super::Context;
use crate::domain::RoleScope;
use crate::policy::{
    BodyFormat, Keys, LabelSource, Objects, Pointer, PointerSegment, Requirement, Source, fold,
    has_no_body,
};

/// Keys that need an answer of a backend.
const ANSWERED: [&str; 6] = ["creates", "deletes", "filter", "answers", "pages", "hide"];

/// Reports all of it.
pub(super) fn report(context: Context<'_>, objects: &Objects) {
    useless(context);
    unguarded(context);
    answers(context, objects);
    deletes(context, objects);
    bodies(context, objects);
    overwritten(context, objects);
}

impl Context<'_> {
    pub(super) fn has(self, key: &str) -> bool {
        self.fields.get(key).is_some()
    }

    pub(super) fn report_at(self, key: &str, problem: impl Into<String>) {
        if self.has(key) {
            self.reader.report(self.fields.key_place(key), problem);
        }
    }
}

/// What does nothing where nothing is forwarded.
fn useless(context: Context<'_>) {
    if context.has("deny") {
        for key in super::KEYS {
            let problem = format!("`{key}` on a route with `deny`: nothing passes it");
            context.report_at(key, problem);
        }
    } else if context.has("respond") {
        for key in ANSWERED.into_iter().chain(["set", "names"]) {
            let problem = format!("`{key}` on a route with `respond`: no backend is asked");
            context.report_at(key, problem);
        }
    } else if context.websocket {
        for key in ANSWERED {
            let problem = format!("`{key}` on a route with `websocket`: it has no answer to read");
            context.report_at(key, problem);
        }
    }
}

/// Owners count for known principals, and to make or to list something is a permission in a
/// project.
fn unguarded(context: Context<'_>) {
    match context.requirement {
        Some(Requirement::Public { .. }) => {
            for key in [
                "references",
                "creates",
                "deletes",
                "filter",
                "answers",
                "names",
            ] {
                let problem = format!("`{key}` on a `public` route: nobody is asked whose it is");
                context.report_at(key, problem);
            }
            if context.resource.is_some_and(|rule| !rule.backend) {
                let problem = "`resource` on a `public` route: nobody is asked whose it is, \
                               unless its type is `owner: backend`";
                context.report_at("resource", problem);
            }
        }
        Some(Requirement::Authenticated) => {
            for key in ["creates", "deletes", "answers"] {
                let problem = format!("`{key}` needs a `permission` that is held in a project");
                context.report_at(key, problem);
            }
        }
        Some(Requirement::Permission { .. }) if context.scope != RoleScope::Project => {
            for key in ["creates", "filter", "answers"] {
                let problem = format!("`{key}` needs a permission in a project: no other `scope`");
                context.report_at(key, problem);
            }
        }
        _ => {}
    }
    if context.upstream == Some("") && context.resource.is_some() && !context.has("deny") {
        let problem = "`resource` on a route without `upstream`: objects are those of one";
        context.report_at("resource", problem);
    }
}

fn answers(context: Context<'_>, objects: &Objects) {
    if context.has("pages") && objects.filters.is_empty() && !context.has("filter") {
        context.report_at("pages", "`pages` without `filter`: pages are not touched");
    }
    if objects.filters.len() > 1 {
        let problem = "`pages` with several `filter`s: a page is filled with the items of one list";
        context.report_at("pages", problem);
    }
    if context.has("hide") && objects.filters.is_empty() && !context.has("filter") {
        context.report_at("hide", "`hide` without `filter`: nothing is taken out");
    }
    let methods = context.methods.unwrap_or_default().iter();
    for method in methods.filter(|method| ["HEAD", "OPTIONS"].contains(&method.as_str())) {
        for key in ["creates", "filter", "answers"] {
            let problem = format!(
                "`{key}` on a route with {method}, whose answer has no body and tells of one"
            );
            context.report_at(key, problem);
        }
    }
}

fn deletes(context: Context<'_>, objects: &Objects) {
    if !objects.deletes {
        return;
    }
    let Some(resource) = context.resource else {
        if !context.has("resource") {
            context.report_at("deletes", "`deletes` without `resource`: of what?");
        }
        return;
    };
    if resource.backend {
        let kind = &resource.kind;
        let problem = format!("`{kind}` is `owner: backend`: there is no record to delete");
        context.report_at("deletes", problem);
    } else if resource.optional {
        let problem = "`deletes` with an optional `resource`: it must be named";
        context.report_at("deletes", problem);
    }
}

fn bodies(context: Context<'_>, objects: &Objects) {
    let Some(body) = &objects.body else {
        return;
    };
    let mut methods = context.methods.unwrap_or_default().iter();
    if let Some(method) = methods.find(|method| has_no_body(method)) {
        let problem = format!("a body is read here, but {method} has none");
        context.reader.report(context.fields.place, problem);
    }
    if body.format == BodyFormat::Json {
        return;
    }
    for rule in &objects.set {
        if let Source::Body(_) = rule.at {
            let problem = format!(
                "`{}`: a message of Protocol Buffers is not changed",
                rule.at
            );
            context.report_at("set", problem);
        }
    }
    let forbidden = objects.forbid.iter().map(|rule| &rule.at);
    for source in sources(context, objects).into_iter().chain(forbidden) {
        if let Source::Body(pointer) = source
            && !names_fields(pointer)
        {
            let problem = format!(
                "`{source}`: places in such a message are numbers of fields, as in `body./1`"
            );
            context.reader.report(context.fields.place, problem);
        }
    }
}

/// `/1/2/*`: `*` behind a number only.
fn names_fields(pointer: &Pointer) -> bool {
    let number = |key: &str| {
        let digits = key.bytes().all(|byte| byte.is_ascii_digit());
        digits && !key.starts_with('0') && key.parse::<u32>().is_ok_and(|it| it < 1 << 29)
    };
    let mut each_may_follow = false;
    let steps = pointer.segments();
    let steps = match steps.split_last() {
        // The bytes of the field, perhaps so many.
        Some((PointerSegment::Key(key), rest)) if is_bytes(key) => rest,
        _ => steps,
    };
    let fits = steps.iter().all(|step| match step {
        PointerSegment::Key(key) => {
            each_may_follow = true;
            number(key)
        }
        PointerSegment::Each => std::mem::take(&mut each_may_follow),
        PointerSegment::EachIfList => false,
    });
    fits && !steps.is_empty()
}

/// What was checked is what is forwarded. `forbid` is about what the client sends, so that
/// the gateway may write the very thing.
fn overwritten(context: Context<'_>, objects: &Objects) {
    let read = sources(context, objects);
    for rule in &objects.set {
        if let Some(read) = read.iter().find(|it| overlap(&rule.at, it, objects.keys)) {
            let problem = format!(
                "`{}` is written over what was read at `{read}`: what is checked must be what is \
                 forwarded",
                rule.at
            );
            context.report_at("set", problem);
        }
    }
    let listed = context.fields.get("forward_headers");
    let listed = listed.map(super::super::node::Node::items);
    let listed = listed.into_iter().flatten().filter_map(|it| it.text());
    for name in listed {
        let written = objects.set.iter().any(|rule| {
            matches!(&rule.at, Source::Header(header) if fold(header.as_str()) == fold(name))
        });
        if written {
            let problem = format!("`{name}` is set: it cannot be forwarded too");
            context.report_at("forward_headers", problem);
        }
    }
}

/// The places in the request that decide something.
pub(super) fn sources<'o>(context: Context<'o>, objects: &'o Objects) -> Vec<&'o Source> {
    let references = context.resource.into_iter().chain(&objects.references);
    let ids = references.flat_map(|rule| &rule.ids);
    let only = objects.only.iter().map(|rule| &rule.at);
    let labels = objects.creates.iter().flat_map(|rule| &rule.labels);
    let labels = labels.filter_map(|(_, from)| match from {
        LabelSource::Request(source) => Some(source),
        LabelSource::Response(_) => None,
    });
    let params = objects.params.iter().map(|(_, source)| source);
    let pages = objects.pages.iter();
    let pages = pages.flat_map(|pages| [&pages.size, &pages.token]);
    let names = &objects.names;
    let names = names.made.iter().chain(&names.sought).chain(&names.filters);
    let names = names.map(|place| &place.at);
    let places = ids.chain(only).chain(labels).chain(pages).chain(names);
    places.chain(params).chain(context.project).collect()
}

fn overlap(written: &Source, read: &Source, keys: Keys) -> bool {
    match (written, read) {
        (Source::Query(a), Source::Query(b) | Source::QueryEach(b)) => keys.same(a, b),
        (Source::Header(a), Source::Header(b)) => fold(a.as_str()) == fold(b.as_str()),
        (Source::Body(a), Source::Body(b)) => {
            let steps = a.segments().iter().zip(b.segments());
            steps.into_iter().all(|(a, b)| meet(a, b, keys))
        }
        _ => false,
    }
}

/// Whether two steps may lead to the same value; `-` is what an array does not have yet.
fn meet(a: &PointerSegment, b: &PointerSegment, keys: Keys) -> bool {
    match (a, b) {
        (PointerSegment::Key(end), _) if **end == *"-" => true,
        (PointerSegment::Key(a), PointerSegment::Key(b)) => keys.same(a, b),
        _ => true,
    }
}

/// `hex`, or `hex` and a length.
fn is_bytes(step: &str) -> bool {
    let length = step.strip_prefix("hex");
    length.is_some_and(|length| length.is_empty() || length.parse::<u8>().is_ok())
}
