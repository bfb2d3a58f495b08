//! `routes:`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method, StatusCode};

use super::bodies::Bodies;
use super::diagnostic::did_you_mean;
use super::node::Node;
use super::reader::{Fields, Reader};
use super::requirement;
use super::resources::Types;
use super::settings::CONTROL_PLANE;
use super::{body, catalogue, identity, limits, objects, rate, sections, source, upstream};
use crate::domain::{Catalogue, RoleScope};
use crate::policy::{
    Completeness, Condition, Dialect, FixedResponse, HostPattern, OwnedHeaders, Pattern,
    Requirement, Route, RouteTimeouts,
};

/// Those of [`objects::KEYS`] besides.
const KEYS: [&str; 20] = [
    "route",
    "hosts",
    "upstream",
    "permission",
    "authenticated",
    "public",
    "deny",
    "scope",
    "resource",
    "tenant",
    "project",
    "event",
    "errors",
    "forward_headers",
    "websocket",
    "timeouts",
    "rate",
    "max_body",
    "respond",
    "when",
];

/// What a route is checked against.
pub(super) struct Surroundings<'a> {
    pub catalogue: &'a Catalogue,
    pub upstreams: &'a BTreeSet<Arc<str>>,
    pub owned: &'a OwnedHeaders,
    /// The dialect of a route that names none.
    pub errors: Dialect,
    /// In a preset: the upstream of all its routes.
    pub upstream: Option<&'a Arc<str>>,
    /// Hosts of a route that names none.
    pub hosts: &'a [HostPattern],
    /// The upstream under whose name the objects of one are on record, if not its own.
    pub recorded_at: &'a dyn Fn(&str) -> Option<Arc<str>>,
    /// The types of objects.
    pub types: &'a Types,
    /// How bodies are read, by upstream.
    pub bodies: &'a dyn Fn(&str) -> Bodies,
}

pub(super) fn read(
    reader: Reader<'_>,
    parent: &Fields<'_>,
    surroundings: &Surroundings<'_>,
) -> Vec<Route> {
    let Some(node) = parent.get("routes") else {
        return Vec::new();
    };
    let items = reader.list(node).iter();
    items
        .filter_map(|item| route(reader, item, surroundings))
        .collect()
}

/// `GET|POST /a/{b}` in parts.
struct Line {
    label: Arc<str>,
    methods: Vec<Method>,
    patterns: Vec<Pattern>,
}

fn route(reader: Reader<'_>, node: &Node, surroundings: &Surroundings<'_>) -> Option<Route> {
    let known: Vec<&str> = KEYS.into_iter().chain(objects::KEYS).collect();
    let fields = reader.fields(node, &known)?;
    let written = fields.required("route");
    let own = surroundings
        .upstream
        .is_some_and(|name| **name == *CONTROL_PLANE);
    let line = written.and_then(|node| line(reader, node, own));
    let patterns = line.as_ref().map(|line| &*line.patterns);
    // Everything is read before anything is given up: all mistakes at once. A wrong
    // optional value counts as absent; its report alone keeps the settings from being.
    let requirement = requirement::read(reader, &fields, surroundings.catalogue);
    let hosts = hosts(reader, &fields).map(|hosts| match hosts.as_slice() {
        [] => surroundings.hosts.to_vec(),
        _ => hosts,
    });
    let upstream = upstream_name(reader, &fields, surroundings);
    let recorded_at = upstream.as_deref().and_then(surroundings.recorded_at);
    let records = recorded_at.as_deref().or(upstream.as_deref());
    let resource = fields
        .get("resource")
        .and_then(|node| objects::resource(reader, node, patterns, surroundings.types, records));
    let tenant = fields
        .get("tenant")
        .and_then(|node| source::project(reader, node, patterns));
    let project = fields
        .get("project")
        .and_then(|node| source::project(reader, node, patterns));
    let event = fields.get("event").and_then(|node| event(reader, node));
    let dialect = sections::dialect(reader, &fields);
    let forward_headers = forward_headers(reader, &fields, surroundings.owned);
    let timeouts = timeouts(reader, &fields);
    let max_body = fields
        .get("max_body")
        .and_then(|node| limits::body(reader, node));
    let respond = fields.get("respond").and_then(|node| respond(reader, node));
    let scope = scope(reader, &fields, requirement.as_ref());
    let websocket = websocket(reader, &fields);
    never_forwarded(reader, &fields);
    let when = when(reader, &fields, requirement.as_ref());
    let quotas = rate::of_route(reader, &fields, requirement.as_ref());
    let mut objects = objects::read(objects::Context {
        reader,
        fields: &fields,
        types: surroundings.types,
        bodies: (surroundings.bodies)(upstream.as_deref().unwrap_or_default()),
        owned: surroundings.owned,
        patterns,
        methods: line.as_ref().map(|line| &*line.methods),
        upstream: records,
        requirement: requirement.as_ref(),
        scope,
        websocket,
        resource: resource.as_ref(),
        project: project.as_ref(),
    });
    objects.recorded_at.clone_from(&recorded_at);
    let (line, requirement, hosts) = (line?, requirement?, hosts?);
    Some(Route {
        event: event.unwrap_or_else(|| requirement.default_event(resource.as_ref())),
        re_auth: None,
        completeness: Completeness::default(),
        rate: rate::named(&quotas, &line.label, &hosts),
        label: line.label,
        methods: line.methods,
        hosts,
        patterns: line.patterns,
        upstream: upstream?,
        respond,
        requirement,
        scope,
        resource,
        tenant,
        objects,
        when: when.map(Arc::new),
        project,
        dialect: dialect.unwrap_or(surroundings.errors),
        forward_headers,
        websocket,
        timeouts,
        max_body,
        origin: reader.origin(written?.place),
    })
}

/// A condition decides about known principals only: nobody else has what it could ask for.
fn when(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    requirement: Option<&Requirement>,
) -> Option<Condition> {
    let node = fields.get("when")?;
    if let Some(Requirement::Public { .. } | Requirement::Deny { .. }) = requirement {
        let place = fields.key_place("when");
        let problem = "`when` narrows `permission` or `authenticated`; there is neither";
        reader.report(place, problem);
    }
    reader.parsed(node, "a condition", Condition::compile)
}

/// All values, or `None` when one of them is wrong.
fn all<T>(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    read: impl FnMut(&Node) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(node) = fields.get(key) else {
        return Some(Vec::new());
    };
    let items = reader.list(node);
    let values: Vec<T> = items.iter().filter_map(read).collect();
    (values.len() == items.len()).then_some(values)
}

/// `own`: whether it is a route of the gateway's own API, and may be only that.
fn line(reader: Reader<'_>, node: &Node, own: bool) -> Option<Line> {
    reader.parsed(node, "a route; write `GET /path`", |text| {
        let (methods, pattern) = text
            .split_once(' ')
            .ok_or_else(|| format!("`{text}` is not a route; write `GET /path`"))?;
        let patterns = Pattern::parse_all(pattern.trim_start()).map_err(|e| e.to_string())?;
        if patterns.iter().any(Pattern::is_reserved) && !own {
            return Err(
                "`/.portcullis` and `/.well-known/portcullis` are the gateway's own".to_owned(),
            );
        }
        Ok(Line {
            label: text.into(),
            methods: self::methods(methods)?,
            patterns,
        })
    })
}

fn methods(text: &str) -> Result<Vec<Method>, String> {
    let mut methods = Vec::new();
    for word in text.split('|') {
        let method = method(word)?;
        if methods.contains(&method) {
            return Err(format!("method `{word}` is listed twice"));
        }
        methods.push(method);
    }
    Ok(methods)
}

/// A method that may be routed.
pub(super) fn method(word: &str) -> Result<Method, String> {
    let upper = word.to_ascii_uppercase();
    match upper.as_str() {
        "CONNECT" | "TRACE" => return Err(format!("method `{upper}` is always refused")),
        _ if upper != word => return Err(format!("method `{word}`: write `{upper}`")),
        _ => {}
    }
    let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
    let method = word.parse().ok().filter(|_| is_word);
    method.ok_or_else(|| format!("`{word}` is not a method; write `GET`, or `GET|POST`"))
}

pub(super) fn hosts(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Vec<HostPattern>> {
    let mut hosts: Vec<HostPattern> = Vec::new();
    all(reader, fields, "hosts", |node| {
        let host = reader.parsed(node, "a host", str::parse::<HostPattern>)?;
        if hosts.contains(&host) {
            reader.report(node.place, format!("host `{host}` is listed twice"));
            return None;
        }
        hosts.push(host.clone());
        Some(host)
    })
}

fn upstream_name(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    surroundings: &Surroundings<'_>,
) -> Option<Arc<str>> {
    let Some(node) = fields.get("upstream") else {
        let answered_here = fields.get("deny").is_some() || fields.get("respond").is_some();
        return match surroundings.upstream {
            Some(upstream) => Some(Arc::clone(upstream)),
            None if answered_here => Some("".into()),
            None => fields.required("upstream").and(None),
        };
    };
    if surroundings.upstream.is_some() {
        let place = fields.key_place("upstream");
        reader.report(place, "a preset's routes name no upstream");
        return None;
    }
    known_upstream(reader, node, surroundings.upstreams)
}

/// The name of an upstream that exists.
pub(super) fn known_upstream(
    reader: Reader<'_>,
    node: &Node,
    upstreams: &BTreeSet<Arc<str>>,
) -> Option<Arc<str>> {
    reader.parsed(node, "an upstream", |name| {
        upstreams.get(name).cloned().ok_or_else(|| {
            let help = did_you_mean(name, upstreams.iter().map(|name| &**name));
            format!("unknown upstream `{name}`{help}")
        })
    })
}

fn event(reader: Reader<'_>, node: &Node) -> Option<Arc<str>> {
    reader.parsed(node, "an event", |text| match text.split_once('.') {
        Some((subject, verb)) if source::is_word(subject) && source::is_word(verb) => {
            Ok(text.into())
        }
        _ => Err(format!(
            "`{text}` is not an event; write `subject.verb`, as in `dataset.created`"
        )),
    })
}

fn forward_headers(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    owned: &OwnedHeaders,
) -> Vec<HeaderName> {
    let headers = all(reader, fields, "forward_headers", |node| {
        identity::header_name(reader, node, |folded| {
            let is_owned = owned.owns(folded);
            let owned =
                is_owned.then(|| "cannot be forwarded: only the gateway sets it".to_owned());
            owned.or_else(|| identity::refuse_forwarding(folded))
        })
    });
    headers.unwrap_or_default()
}

fn scope(reader: Reader<'_>, fields: &Fields<'_>, requirement: Option<&Requirement>) -> RoleScope {
    let Some(node) = fields.get("scope") else {
        return RoleScope::Project;
    };
    if requirement.is_some_and(|r| !matches!(r, Requirement::Permission { .. })) {
        let place = fields.key_place("scope");
        let problem = "`scope` says where a `permission` must be held; there is none";
        reader.report(place, problem);
    }
    let scope = reader.choice(node, &catalogue::SCOPES);
    scope.unwrap_or(RoleScope::Project)
}

fn websocket(reader: Reader<'_>, fields: &Fields<'_>) -> bool {
    let node = fields.get("websocket");
    node.is_some_and(|node| reader.boolean(node).unwrap_or_default())
}

/// What concerns the forwarding of requests does nothing where none is forwarded.
fn never_forwarded(reader: Reader<'_>, fields: &Fields<'_>) {
    let Some(by) = ["deny", "respond"]
        .into_iter()
        .find(|key| fields.get(key).is_some())
    else {
        return;
    };
    for key in ["websocket", "timeouts", "forward_headers", "max_body"] {
        if fields.get(key).is_some() {
            let place = fields.key_place(key);
            reader.report(
                place,
                format!("`{key}` on a route with `{by}`: it forwards nothing"),
            );
        }
    }
}

fn timeouts(reader: Reader<'_>, fields: &Fields<'_>) -> RouteTimeouts {
    let node = fields.get("timeouts");
    let Some(fields) = node.and_then(|node| reader.fields(node, &["connect", "read", "write"]))
    else {
        return RouteTimeouts::default();
    };
    let bounds = Duration::from_millis(1)..=upstream::DAY;
    let timeout = |key| {
        let node = fields.get(key);
        node.and_then(|node| reader.duration(node, &bounds))
    };
    RouteTimeouts {
        connect: timeout("connect"),
        read: timeout("read"),
        write: timeout("write"),
    }
}

fn respond(reader: Reader<'_>, node: &Node) -> Option<Arc<FixedResponse>> {
    let fields = reader.fields(node, &["status", "body"])?;
    let status = match fields.get("status") {
        Some(node) => reader.integer::<u16>(node, &(200..=599)),
        None => Some(200),
    };
    let body = fields.required("body");
    let body = body.and_then(|node| body::json(reader, node));
    Some(Arc::new(FixedResponse {
        status: StatusCode::from_u16(status?).ok()?,
        body: body?.to_string().into(),
    }))
}
