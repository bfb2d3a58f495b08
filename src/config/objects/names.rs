//! `names:` of a route: where names stand in its requests and answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::node::Node;
use super::super::{resources, source};
use super::{Context, references};
use crate::domain::RoleScope;
use crate::policy::namespace::{NamePlace, NamePlaces, ToldName, TypeNames};
use crate::policy::{Objects, Pointer, Requirement, Source};

/// What is done with a name in a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Make,
    Seek,
    Filter,
}

const USES: [(&str, Use); 3] = [
    ("make", Use::Make),
    ("seek", Use::Seek),
    ("filter", Use::Filter),
];

/// `[{ type: thing, at: body./name }, { type: thing, at: response.body./thing/name }]`.
pub(super) fn read(context: Context<'_>) -> NamePlaces {
    let mut places = NamePlaces::default();
    let Some(node) = context.fields.get("names") else {
        return places;
    };
    for item in context.reader.list(node) {
        entry(context, item, &mut places);
    }
    places
}

fn entry(context: Context<'_>, node: &Node, places: &mut NamePlaces) -> Option<()> {
    let reader = context.reader;
    let fields = reader.fields(node, &["type", "at", "use", "forms"])?;
    let kind_node = fields.required("type");
    let kind = kind_node.and_then(|node| resources::kind(reader, node));
    let at = fields.required("at");
    let usage = fields.get("use");
    let usage = usage.map(|node| reader.choice(node, &USES));
    let (kind, at) = (kind?, at?);
    match context.types.names(context.upstream?, &kind) {
        TypeNames::Unsaid => {
            let problem = format!("`{kind}` has no `names` where its type is declared");
            reader.report(kind_node?.place, problem);
            return None;
        }
        // The operator wants none of it.
        TypeNames::Shared => return None,
        TypeNames::Apart(_) => {}
    }
    if at.text().is_some_and(|text| text.starts_with("response.")) {
        if usage.is_some() {
            let problem = "`use` is for names in requests";
            reader.report(fields.key_place("use"), problem);
        }
        let forms = references::forms_told(context, &fields, &kind);
        let at: Pointer = source::response(reader, at)?;
        places.told.push(ToldName { kind, at, forms });
        return Some(());
    }
    if fields.get("forms").is_some() {
        let problem = "`forms` is for names in answers, and for `resource` and `references`";
        reader.report(fields.key_place("forms"), problem);
    }
    let place = NamePlace {
        at: written(context, at)?,
        kind,
    };
    match usage {
        None | Some(Some(Use::Make)) => places.made.push(place),
        Some(Some(Use::Filter)) => places.filters.push(place),
        Some(Some(Use::Seek)) if places.sought.is_some() => {
            reader.report(node.place, "something is sought by one name only");
        }
        Some(Some(Use::Seek)) if !matches!(place.at, Source::Query(_)) => {
            reader.report(node.place, "something is sought by `query.NAME` only");
        }
        Some(Some(Use::Seek)) => places.sought = Some(place),
        Some(None) => {}
    }
    Some(())
}

/// A place in a request that can be written.
fn written(context: Context<'_>, node: &Node) -> Option<Source> {
    let at = source::source(context.reader, node, context.patterns)?;
    if is_written(&at) {
        return Some(at);
    }
    let problem = format!("`{at}`: a name is written into `query.NAME` or `body./pointer` only");
    context.reader.report(node.place, problem);
    None
}

const fn is_written(at: &Source) -> bool {
    matches!(at, Source::Query(_) | Source::Body(_))
}

/// Adds the namespaces of all types that the route names, and tells what does not fit.
pub(super) fn complete(context: Context<'_>, objects: &mut Objects) {
    let Some(upstream) = context.upstream else {
        return;
    };
    let is_apart = |kind: &Arc<str>| match context.types.names(upstream, kind) {
        TypeNames::Apart(namespace) => Some(namespace),
        _ => None,
    };
    let rules = context.resource.into_iter().chain(&objects.references);
    let read = rules.flat_map(|rule| {
        let forms = rule.forms.iter().map(|form| &form.kind);
        std::iter::once(&rule.kind).chain(forms)
    });
    // Ids that are numbers and the like are no names.
    let read = read.filter(|kind| is_apart(kind).is_some_and(|namespace| namespace.are_ids));
    let names = &objects.names;
    let places = names.made.iter().chain(&names.sought).chain(&names.filters);
    let places = places.map(|place| &place.kind);
    let told = names.told.iter().map(|told| &told.kind);
    let kinds: BTreeSet<Arc<str>> = read.chain(places).chain(told).cloned().collect();
    let apart = kinds.into_iter().filter_map(|kind| {
        let namespace = is_apart(&kind)?;
        Some((kind, namespace))
    });
    objects.names.namespaces = apart.collect();
    report(context, objects);
}

fn report(context: Context<'_>, objects: &Objects) {
    let names = &objects.names;
    let rules = context.resource.into_iter().chain(&objects.references);
    for rule in rules {
        let of_ids = |kind: &Arc<str>| names.namespace(kind).is_some_and(|it| it.are_ids);
        let is_apart = match rule.forms.as_slice() {
            [] => of_ids(&rule.kind),
            forms => forms.iter().any(|form| of_ids(&form.kind)),
        };
        let mut ids = rule.ids.iter().filter(|at| !is_written(at));
        if let Some(at) = ids.next().filter(|_| is_apart) {
            let problem = format!(
                "`{at}` holds a name of `{}`, which is written anew: only `query.NAME` and \
                 `body./pointer` are",
                rule.kind
            );
            context.reader.report(context.fields.place, problem);
        }
    }
    if names.sought.is_some() && objects.answers.is_none() && !context.has("answers") {
        context.report_at(
            "names",
            "`use: seek` without `answers`: of whom is what is found?",
        );
    }
    let listed = |kind: &Arc<str>| {
        let mut filters = objects.filters.iter();
        filters.any(|rule| rule.kind == *kind && names.name_in(rule).is_some())
    };
    if names.filters.iter().any(|place| !listed(&place.kind)) {
        context.report_at(
            "names",
            "`use: filter` needs a `filter` of that type, and the place of the name in its items: \
             `at: response.body./items/*/name`",
        );
    }
    let in_project = matches!(context.requirement, Some(Requirement::Permission { .. }))
        && context.scope == RoleScope::Project;
    if !names.made.is_empty() && !in_project && context.requirement.is_some() {
        let problem = "`use: make` needs a `permission` that is held in a project";
        context.report_at("names", problem);
    }
}
