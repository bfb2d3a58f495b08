//! `resource:` and `references:`: which objects a request names.

use std::sync::Arc;

use super::super::node::Node;
use super::super::own_request::{self, Placeholder};
use super::super::reader::{Fields, Reader};
use super::super::resources::{self, Types};
use super::super::source;
use super::Context;
use crate::policy::{Form, OwnRequest, Pattern, ResourceRule, Source};

/// Whether an id may be one that the backend does not know yet.
const ABSENT: [(&str, bool); 2] = [("refused", false), ("allowed", true)];

/// What reading a rule needs.
#[derive(Clone, Copy)]
struct Scene<'a> {
    reader: Reader<'a>,
    patterns: Option<&'a [Pattern]>,
    types: &'a Types,
    upstream: Option<&'a str>,
}

/// `{ type: thing, id: path.thing_id }`, what the request is about.
pub(in super::super) fn resource(
    reader: Reader<'_>,
    node: &Node,
    patterns: Option<&[Pattern]>,
    types: &Types,
    upstream: Option<&str>,
) -> Option<ResourceRule> {
    rule(
        Scene {
            reader,
            patterns,
            types,
            upstream,
        },
        node,
    )
}

/// One of `references:`.
pub(super) fn reference(context: Context<'_>, node: &Node) -> Option<ResourceRule> {
    let Context {
        reader,
        patterns,
        types,
        upstream,
        ..
    } = context;
    rule(
        Scene {
            reader,
            patterns,
            types,
            upstream,
        },
        node,
    )
}

fn rule(scene: Scene<'_>, node: &Node) -> Option<ResourceRule> {
    let reader = scene.reader;
    let fields = reader.fields(
        node,
        &["type", "id", "optional", "absent", "visible", "forms"],
    )?;
    let kind = fields.get("type");
    let kind = kind.map(|node| resources::kind(reader, node));
    let ids = fields.required("id");
    let ids = ids.and_then(|node| ids_of(scene, node));
    let optional = fields.get("optional");
    let optional = optional.is_some_and(|node| reader.boolean(node).unwrap_or_default());
    let absent = fields.get("absent");
    let absent = absent.and_then(|node| reader.choice(node, &ABSENT));
    let own = kind.as_ref().and_then(Option::as_ref);
    let forms = forms(scene, &fields, own);
    let kind = match kind {
        Some(kind) => kind,
        None if fields.get("forms").is_some() => forms.first().map(|form| Arc::clone(&form.kind)),
        None => fields.required("type").and(None),
    };
    let kind = kind?;
    let backend = scene.is_backends(&kind) && forms.iter().all(|form| form.backend);
    Some(ResourceRule {
        visible: visible(reader, &fields, backend),
        backend,
        kind,
        ids: ids?,
        optional,
        absent: absent.unwrap_or_default(),
        forms,
    })
}

/// `{ request: "GET /things/{id}" }`, asked in the name of the caller's project.
fn visible(reader: Reader<'_>, fields: &Fields<'_>, backend: bool) -> Option<Arc<OwnRequest>> {
    let node = fields.get("visible")?;
    let place = fields.key_place("visible");
    if !backend {
        let problem = "`visible` is for types with `owner: backend`: whose others are is known";
        reader.report(place, problem);
    } else if fields.get("forms").is_some() {
        reader.report(place, "`visible` besides `forms`: there the value is no id");
    }
    let fields = reader.fields(node, &["request", "body"])?;
    own_request::read(reader, &fields, Placeholder::One).map(Arc::new)
}

impl Scene<'_> {
    fn is_backends(self, kind: &str) -> bool {
        self.upstream
            .is_some_and(|upstream| self.types.is_backends(upstream, kind))
    }
}

/// One source or several.
fn ids_of(scene: Scene<'_>, node: &Node) -> Option<Vec<Source>> {
    let Scene {
        reader, patterns, ..
    } = scene;
    if !node.is_list() {
        return source::source(reader, node, patterns).map(|source| vec![source]);
    }
    let items = reader.list(node);
    if items.is_empty() {
        reader.report(node.place, "`id` names no place");
        return None;
    }
    let mut sources: Vec<Source> = Vec::with_capacity(items.len());
    for item in items {
        let source = source::source(reader, item, patterns)?;
        if sources.contains(&source) {
            reader.report(item.place, format!("`{source}` is listed twice"));
        }
        sources.push(source);
    }
    Some(sources)
}

/// The forms of a text in an answer.
pub(super) fn forms_told(context: Context<'_>, fields: &Fields<'_>, kind: &Arc<str>) -> Vec<Form> {
    let Context {
        reader,
        patterns,
        types,
        upstream,
        ..
    } = context;
    let scene = Scene {
        reader,
        patterns,
        types,
        upstream,
    };
    forms(scene, fields, Some(kind))
}

fn forms(scene: Scene<'_>, fields: &Fields<'_>, kind: Option<&Arc<str>>) -> Vec<Form> {
    let reader = scene.reader;
    let Some(node) = fields.get("forms") else {
        return Vec::new();
    };
    let items = reader.list(node);
    if items.is_empty() {
        reader.report(node.place, "`forms` is empty: no value would fit");
    }
    let items = items.iter();
    items.filter_map(|item| form(scene, item, kind)).collect()
}

/// `"runs:/{id}/*"`, or that with a type.
fn form(scene: Scene<'_>, node: &Node, of_rule: Option<&Arc<str>>) -> Option<Form> {
    let reader = scene.reader;
    if node.text().is_some() {
        let Some(kind) = of_rule else {
            let problem = "this form has no type; write `{ form: …, type: … }`";
            reader.report(node.place, problem);
            return None;
        };
        return written(scene, node, kind);
    }
    let fields = reader.fields(node, &["form", "type"])?;
    let own = match fields.get("type") {
        Some(node) => resources::kind(reader, node),
        None if of_rule.is_none() => fields.required("type").and(None),
        None => of_rule.cloned(),
    };
    let text = fields.required("form")?;
    written(scene, text, &own?)
}

fn written(scene: Scene<'_>, node: &Node, kind: &Arc<str>) -> Option<Form> {
    let backend = scene.is_backends(kind);
    scene.reader.parsed(node, "a form", |text| {
        let (before, after, open) = parts(text).ok_or_else(|| {
            format!(
                "`{text}` is not a form; write a text with one `{{id}}`, and `*` only at its \
                 end, as in `runs:/{{id}}/*`"
            )
        })?;
        if open && after.is_empty() {
            return Err(format!(
                "`{text}`: something must stand between `{{id}}` and `*`"
            ));
        }
        Ok(Form {
            before: before.into(),
            after: after.into(),
            open,
            kind: Arc::clone(kind),
            backend,
        })
    })
}

fn parts(text: &str) -> Option<(&str, &str, bool)> {
    let (before, after) = text.split_once("{id}")?;
    let (after, open) = match after.strip_suffix('*') {
        Some(after) => (after, true),
        None => (after, false),
    };
    let plain = |text: &str| !text.contains(['{', '}', '*']);
    (plain(before) && plain(after)).then_some((before, after, open))
}
