//! What hangs together: upstreams, presets, identity, permissions, routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::HeaderName;

use super::assertion::Assertions;
use super::bodies::Bodies;
use super::built_in::{self, BuiltIn};
use super::diagnostic::Place;
use super::load::tree;
use super::node::Node;
use super::preset::{self, Preset};
use super::reader::{Fields, Reader};
use super::resources::Types;
use super::route::{self, Surroundings};
use super::route_map::{compile, with_overrides};
use super::settings::SignIn;
use super::settings::{Provision, Upstream};
use super::{assertion, catalogue, identity, sections, sign_in, upstream};
use crate::domain::{BuiltInRole, Catalogue};
use crate::policy::{Dialect, Origin, OwnedHeaders, ResourceType, Route, RouteMap};

/// The part of the settings in which everything hangs together.
pub(super) struct Backends {
    pub(super) catalogue: Catalogue,
    pub(super) roles: Vec<BuiltInRole>,
    pub(super) upstreams: BTreeMap<Arc<str>, Upstream>,
    pub(super) owned: OwnedHeaders,
    pub(super) provisions: Vec<Provision>,
    pub(super) errors: Dialect,
    pub(super) resource_types: Vec<ResourceType>,
    pub(super) routes: RouteMap,
}

/// Reads all of it, since no part can be checked without the others.
pub(super) fn read(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    sign_in: Option<&SignIn>,
) -> Option<Backends> {
    let upstreams = upstream::read(reader, fields);
    let names: BTreeSet<Arc<str>> = upstreams.keys().cloned().collect();
    let mut choices = preset::choices(reader, fields, &names);
    choices.push(preset::Choice::own());
    if fields.get("sign_in").is_some() {
        choices.push(preset::Choice::sign_in());
    }
    if fields.get("oauth2").is_some() {
        choices.push(preset::Choice::oauth2());
    }
    let sources = preset_trees(reader, choices);
    let presets: Vec<Preset<'_>> = sources
        .iter()
        .filter_map(|(file, node, choice)| {
            let reader = Reader { file, ..reader };
            Preset::read(reader, node, choice)
        })
        .collect();
    let identity = identity::read(reader, fields);
    let assertions = assertion::read(reader, fields, &names, sign_in);
    let owned = owned(&presets, &identity, assertions.as_ref());
    let mut permissions = catalogue::permissions(reader, fields);
    permissions.extend(presets.iter().flat_map(|preset| preset.permissions.clone()));
    let BuiltIn { catalogue, roles } = built_in::read(reader, permissions)?;
    let errors = default_dialect(reader, fields, &presets);
    let types = types(reader, fields, &presets, &names);
    let bodies = Bodies::read(reader, fields);
    let surroundings = Surroundings {
        catalogue: &catalogue,
        upstreams: &names,
        owned: &owned,
        errors,
        upstream: None,
        hosts: &[],
        recorded_at: &|name| upstreams.get(name)?.as_ref()?.objects.clone(),
        types: &types,
        bodies: &|upstream| {
            let preset = presets.iter().find(|preset| *preset.upstream == *upstream);
            bodies.or(preset.map(|preset| preset.bodies).unwrap_or_default())
        },
    };
    let own = route::read(reader, fields, &surroundings);
    let of_presets = presets
        .iter()
        .flat_map(|preset| preset.routes(&surroundings));
    let mut routes = with_overrides(of_presets, own);
    sign_in::mark_sensitive(reader, fields, &mut routes);
    sign_in::mark_completeness(sign_in, &mut routes);
    let provisions = presets.iter().filter_map(Preset::provision).collect();
    refuse_upgrades(reader, &routes, &upstreams);
    let routes = compile(reader, routes);
    let upstreams = with_identity(upstreams, &presets, &identity, assertions.as_ref());
    Some(Backends {
        catalogue,
        roles,
        upstreams: upstreams?,
        owned,
        provisions,
        errors,
        resource_types: types.into_vec(),
        routes: routes?,
    })
}

/// The operator's types take the place of a preset's.
fn types(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    presets: &[Preset<'_>],
    upstreams: &BTreeSet<Arc<str>>,
) -> Types {
    let mut types = Types::default();
    for preset in presets {
        preset.declare(&mut types, upstreams);
    }
    types.read(reader, fields, upstreams, None);
    types.check(reader);
    types
}

/// A WebSocket begins with an upgrade, which HTTP/2 does not have.
fn refuse_upgrades(
    reader: Reader<'_>,
    routes: &[Route],
    upstreams: &BTreeMap<Arc<str>, Option<Upstream>>,
) {
    for route in routes.iter().filter(|route| route.websocket) {
        let upstream = upstreams.get(&route.upstream).and_then(Option::as_ref);
        if let Some(upstream) = upstream.filter(|upstream| upstream.http2) {
            let Origin { file, line, column } = route.origin.clone();
            let name = &upstream.name;
            let problem = format!("`websocket: true`, but upstream `{name}` speaks HTTP/2");
            let reader = Reader {
                file: &file,
                ..reader
            };
            reader.report(Place { line, column }, problem);
        }
    }
}

fn preset_trees(
    reader: Reader<'_>,
    choices: Vec<preset::Choice>,
) -> Vec<(Arc<str>, Node, preset::Choice)> {
    let trees = choices.into_iter().filter_map(|choice| {
        let file: Arc<str> = format!("preset:{}", choice.name).into();
        let reader = Reader {
            file: &file,
            ..reader
        };
        let node = tree(reader, choice.text)?;
        Some((file, node, choice))
    });
    trees.collect()
}

/// Where no route is found and `errors:` says nothing, the one preset's clients are asking.
fn default_dialect(reader: Reader<'_>, fields: &Fields<'_>, presets: &[Preset<'_>]) -> Dialect {
    let mut errors = presets.iter().filter(|it| !it.is_own()).map(|it| it.errors);
    let only = match (errors.next(), errors.next()) {
        (Some(only), None) => only,
        _ => Dialect::default(),
    };
    sections::dialect(reader, fields).unwrap_or(only)
}

fn owned(
    presets: &[Preset<'_>],
    identity: &[identity::Entry],
    assertions: Option<&Assertions>,
) -> OwnedHeaders {
    let of_presets = presets.iter().flat_map(|preset| &preset.identity);
    let names = of_presets.chain(identity).map(|(name, _)| name);
    let names = names.chain(assertions.map(|it| &it.header));
    OwnedHeaders::new(names.map(HeaderName::as_str))
}

fn with_identity(
    upstreams: BTreeMap<Arc<str>, Option<Upstream>>,
    presets: &[Preset<'_>],
    identity: &[identity::Entry],
    assertions: Option<&Assertions>,
) -> Option<BTreeMap<Arc<str>, Upstream>> {
    let complete = upstreams.into_iter().map(|(name, upstream)| {
        let of_presets = presets.iter().filter(|preset| preset.upstream == name);
        let layers: Vec<&[identity::Entry]> = of_presets
            .map(|preset| &*preset.identity)
            .chain([identity])
            .collect();
        let identity = identity::layered(&layers);
        let assertion = assertions.map(|it| Arc::new(it.at(&name)));
        upstream.map(|upstream| {
            (
                name,
                Upstream {
                    identity,
                    assertion,
                    ..upstream
                },
            )
        })
    });
    complete.collect()
}
