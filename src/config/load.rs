//! From a file's text to [`Settings`], or to all that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bodies::Bodies;
use super::diagnostic::{Diagnostic, Findings, Place};
use super::files::{Files, Reads};
use super::identity;
use super::node::{Node, Value};
use super::preset::{self, Choice, Preset};
use super::reader::{Fields, Reader};
use super::resources::Types;
use super::route::{self, Surroundings};
use super::settings::{Essentials, Settings, Upstream};
use super::variables::{self, Environment};
use super::{catalogue, limits, listen, rate, sections, upstream};
use crate::domain::{BuiltInRole, Catalogue, Permission};
use crate::policy::{
    Conflict, Dialect, Origin, OwnedHeaders, Pattern, ResourceType, Route, RouteMap,
};

const ROLES: &str = include_str!("../../config/roles.yaml");

const KEYS: [&str; 22] = [
    "version",
    "listen",
    "private_listen",
    "data_dir",
    "database",
    "trusted_proxies",
    "limits",
    "workers",
    "log",
    "shutdown",
    "cache",
    "audit",
    "rate",
    "rate_limits",
    "permissions",
    "upstreams",
    "presets",
    "identity",
    "errors",
    "resources",
    "bodies",
    "routes",
];

impl Settings {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, sorted by place.
    pub fn load(path: &Path, environment: &Environment<'_>) -> Result<Self, Vec<Diagnostic>> {
        Loaded::from_file(path, environment).settings
    }

    /// Checks a text; `name` is its path, for diagnostics and relative paths.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, sorted by place.
    pub fn parse(
        name: &str,
        text: &str,
        environment: &Environment<'_>,
    ) -> Result<Self, Vec<Diagnostic>> {
        checked(name, text, &Reads::default(), whole(environment))
    }
}

/// Where a configuration is, and what fills in its variables.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The process's own, usually.
    pub environment: fn(&str) -> Option<String>,
}

impl ConfigFile {
    /// Reads and checks it as it is now.
    #[must_use]
    pub fn load(&self) -> Loaded {
        Loaded::from_file(&self.path, &self.environment)
    }
}

/// What became of a file, and which files that rests on.
#[derive(Debug)]
pub struct Loaded {
    /// What it says, or everything that is wrong with it.
    pub settings: Result<Settings, Vec<Diagnostic>>,
    /// The file and those that it names: should one of them change, so may the rest.
    pub files: Files,
}

impl Loaded {
    fn from_file(path: &Path, environment: &Environment<'_>) -> Self {
        let reads = Reads::default();
        let settings = read(path, &reads)
            .and_then(|(name, text)| checked(&name, &text, &reads, whole(environment)));
        Self {
            settings,
            files: reads.into_files(),
        }
    }
}

/// Checks all of it.
fn whole(environment: &Environment<'_>) -> impl FnOnce(Reader<'_>, Node) -> Option<Settings> {
    |reader, mut node| {
        variables::fill_in(reader, &mut node, environment);
        settings(reader, &node)
    }
}

impl Essentials {
    /// Reads these keys and no others, so that a mistake in a route keeps no operator from
    /// revoking a key.
    ///
    /// # Errors
    ///
    /// What is wrong with these keys, or with the YAML as a whole.
    pub fn load(path: &Path, environment: &Environment<'_>) -> Result<Self, Vec<Diagnostic>> {
        let reads = Reads::default();
        let (name, text) = read(path, &reads)?;
        checked(&name, &text, &reads, |reader, mut node| {
            node.retain(&["data_dir", "database", "permissions"]);
            variables::fill_in(reader, &mut node, environment);
            let fields = reader.fields(&node, &KEYS)?;
            Some(Self {
                data_dir: sections::data_dir(reader, &fields)?,
                database: sections::database(reader, &fields),
                permissions: catalogue::permissions(reader, &fields),
            })
        })
    }
}

/// The catalogue and the roles that come with the gateway.
#[derive(Debug)]
pub struct BuiltIn {
    /// Every permission that exists.
    pub catalogue: Catalogue,
    /// The roles.
    pub roles: Vec<BuiltInRole>,
}

impl BuiltIn {
    /// What is compiled in, with the permissions that a configuration adds.
    ///
    /// # Errors
    ///
    /// Never with the file that is compiled in, which a test loads.
    pub fn with(additions: Vec<Permission>) -> Result<Self, Vec<Diagnostic>> {
        checked("preset:roles", ROLES, &Reads::default(), |reader, node| {
            built_in_of(reader, &node, additions)
        })
    }
}

/// The file's name and text.
fn read(path: &Path, reads: &Reads) -> Result<(String, String), Vec<Diagnostic>> {
    let name = path.to_string_lossy().into_owned();
    let text = reads.read(path).and_then(|bytes| {
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    });
    let text = text.map_err(|error| {
        let findings = Findings::default();
        let file = name.as_str().into();
        findings.add(&file, Place::START, format!("cannot read: {error}"));
        findings.into_sorted()
    })?;
    Ok((name, text))
}

/// What `check` makes of the text, unless it has found anything.
fn checked<T>(
    name: &str,
    text: &str,
    reads: &Reads,
    check: impl FnOnce(Reader<'_>, Node) -> Option<T>,
) -> Result<T, Vec<Diagnostic>> {
    let findings = Findings::default();
    let file: Arc<str> = name.into();
    let reader = Reader {
        file: &file,
        directory: Path::new(name).parent().unwrap_or(Path::new("")),
        findings: &findings,
        reads,
    };
    let result = tree(reader, text).and_then(|node| check(reader, node));
    result
        .filter(|_| findings.is_empty())
        .ok_or_else(|| findings.into_sorted())
}

fn tree(reader: Reader<'_>, text: &str) -> Option<Node> {
    match Node::parse(text) {
        Ok(node) if matches!(node.value, Value::Null) => {
            reader.report(Place::START, "the file is empty; begin with `version: 1`");
            None
        }
        Ok(node) => Some(node),
        Err((place, message)) => {
            reader.report(place, message);
            None
        }
    }
}

/// A wrong optional value counts as absent here: the findings decide in the end.
fn settings(reader: Reader<'_>, node: &Node) -> Option<Settings> {
    let fields = reader.fields(node, &KEYS)?;
    sections::version(reader, &fields);
    let data_dir = sections::data_dir(reader, &fields);
    let database = sections::database(reader, &fields);
    let log = sections::log(reader, &fields);
    let shutdown = sections::shutdown(reader, &fields);
    let cache = sections::cache(reader, &fields);
    let audit = sections::audit(reader, &fields);
    let trusted_proxies = sections::trusted_proxies(reader, &fields);
    let listeners = listen::read(reader, &fields, &trusted_proxies);
    let limits = limits::read(reader, &fields);
    let workers = sections::workers(reader, &fields);
    let rate = rate::of_all(reader, &fields);
    let rate_limits = rate::limits(reader, &fields);
    let backends = backends(reader, &fields);
    let (listen, private_listen) = listeners?;
    let backends = backends?;
    Some(Settings {
        listen,
        private_listen,
        data_dir: data_dir?,
        database,
        trusted_proxies,
        limits: limits?,
        workers,
        log: log?,
        shutdown: shutdown?,
        cache: cache?,
        audit: audit?,
        rate,
        rate_limits,
        catalogue: backends.catalogue,
        roles: backends.roles,
        upstreams: backends.upstreams,
        owned_headers: backends.owned,
        provisions: backends.provisions,
        errors: backends.errors,
        resource_types: backends.resource_types,
        routes: backends.routes,
    })
}

/// The part of the settings in which everything hangs together.
struct Backends {
    catalogue: Catalogue,
    roles: Vec<BuiltInRole>,
    upstreams: BTreeMap<Arc<str>, Upstream>,
    owned: OwnedHeaders,
    provisions: Vec<super::settings::Provision>,
    errors: Dialect,
    resource_types: Vec<ResourceType>,
    routes: RouteMap,
}

fn backends(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Backends> {
    let upstreams = upstream::read(reader, fields);
    let names: BTreeSet<Arc<str>> = upstreams.keys().cloned().collect();
    let mut choices = preset::choices(reader, fields, &names);
    choices.push(Choice::own());
    let sources = preset_trees(reader, choices);
    let presets: Vec<Preset<'_>> = sources
        .iter()
        .filter_map(|(file, node, upstream)| {
            let reader = Reader { file, ..reader };
            Preset::read(reader, node, Arc::clone(upstream))
        })
        .collect();
    let identity = identity::read(reader, fields);
    let owned = owned(&presets, &identity);
    let mut permissions = catalogue::permissions(reader, fields);
    permissions.extend(presets.iter().flat_map(|preset| preset.permissions.clone()));
    let BuiltIn { catalogue, roles } = built_in(reader, permissions)?;
    let errors = default_dialect(reader, fields, &presets);
    let types = types(reader, fields, &presets, &names);
    let bodies = Bodies::read(reader, fields);
    let surroundings = Surroundings {
        catalogue: &catalogue,
        upstreams: &names,
        owned: &owned,
        errors,
        upstream: None,
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
    let routes = with_overrides(of_presets, own);
    let provisions = presets.iter().filter_map(Preset::provision).collect();
    refuse_upgrades(reader, &routes, &upstreams);
    let routes = compile(reader, routes);
    let upstreams = with_identity(upstreams, &presets, &identity);
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
) -> Vec<(Arc<str>, Node, Arc<str>)> {
    let trees = choices.into_iter().filter_map(|choice| {
        let file: Arc<str> = format!("preset:{}", choice.name).into();
        let reader = Reader {
            file: &file,
            ..reader
        };
        let node = tree(reader, choice.text)?;
        Some((file, node, choice.upstream))
    });
    trees.collect()
}

fn built_in(reader: Reader<'_>, additions: Vec<Permission>) -> Option<BuiltIn> {
    let file = "preset:roles".into();
    let reader = Reader {
        file: &file,
        ..reader
    };
    built_in_of(reader, &tree(reader, ROLES)?, additions)
}

fn built_in_of(reader: Reader<'_>, node: &Node, additions: Vec<Permission>) -> Option<BuiltIn> {
    let fields = reader.fields(node, &["permissions", "roles"])?;
    let own = catalogue::permissions(reader, &fields);
    let catalogue = Catalogue::new(own.into_iter().chain(additions));
    let roles = catalogue::roles(reader, &fields, &catalogue);
    Some(BuiltIn { catalogue, roles })
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

fn owned(presets: &[Preset<'_>], identity: &[identity::Entry]) -> OwnedHeaders {
    let of_presets = presets.iter().flat_map(|preset| &preset.identity);
    OwnedHeaders::new(of_presets.chain(identity).map(|(name, _)| name.as_str()))
}

fn with_identity(
    upstreams: BTreeMap<Arc<str>, Option<Upstream>>,
    presets: &[Preset<'_>],
    identity: &[identity::Entry],
) -> Option<BTreeMap<Arc<str>, Upstream>> {
    let complete = upstreams.into_iter().map(|(name, upstream)| {
        let of_presets = presets.iter().filter(|preset| preset.upstream == name);
        let layers: Vec<&[identity::Entry]> = of_presets
            .map(|preset| &*preset.identity)
            .chain([identity])
            .collect();
        let identity = identity::layered(&layers);
        upstream.map(|upstream| {
            (
                name,
                Upstream {
                    identity,
                    ..upstream
                },
            )
        })
    });
    complete.collect()
}

/// The presets' routes, save those that the operator wrote anew, then the operator's: a
/// conflict is told at the one that comes last.
fn with_overrides(of_presets: impl Iterator<Item = Route>, own: Vec<Route>) -> Vec<Route> {
    let kept = of_presets.filter(|preset| !own.iter().any(|own| same_requests(own, preset)));
    let mut routes: Vec<Route> = kept.collect();
    routes.extend(own);
    routes
}

fn same_requests(a: &Route, b: &Route) -> bool {
    let all_in = |xs: &[Pattern], ys: &[Pattern]| {
        let same = |x: &Pattern, y: &Pattern| x.is_within(y) && y.is_within(x);
        xs.len() == ys.len() && xs.iter().all(|x| ys.iter().any(|y| same(x, y)))
    };
    a.methods.len() == b.methods.len()
        && a.methods.iter().all(|method| b.methods.contains(method))
        && a.hosts.len() == b.hosts.len()
        && a.hosts.iter().all(|host| b.hosts.contains(host))
        && all_in(&a.patterns, &b.patterns)
}

fn compile(reader: Reader<'_>, routes: Vec<Route>) -> Option<RouteMap> {
    RouteMap::compile(routes)
        .map_err(|conflicts| {
            for conflict in &conflicts {
                report_conflict(reader, conflict);
            }
        })
        .ok()
}

fn report_conflict(reader: Reader<'_>, conflict: &Conflict) {
    let origin = &conflict.second.origin;
    let place = Place {
        line: origin.line,
        column: origin.column,
    };
    let help = if conflict.same {
        "remove one; to replace a preset's route, write its methods and pattern as the preset does"
    } else {
        "add a route for what they share"
    };
    let reader = Reader {
        file: &origin.file,
        ..reader
    };
    reader.report(place, format!("{conflict}; {help}"));
}
