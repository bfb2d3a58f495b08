//! Which operations of a description the route map knows: for `routes --uncovered`.
//!
//! Each operation is looked up by the code that routes requests, on a path whose values
//! are a text that no pattern can spell. Only a pattern that takes every value takes that
//! one, so what is found there is found for all paths of the operation.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::config::{Description, Operation, Part, Template};
use crate::policy::{
    CanonicalRequest, HostPattern, Lookup, PathRef, Pattern, RawRequest, Route, RouteMap,
};

/// A character that no literal of a pattern has (private use).
const ANY_VALUE: &str = "\u{e000}";
/// Segments that a value with slashes may have: one more than any pattern without a tail.
const MOST_SEGMENTS: usize = 65;
/// A host that no route names: what is found for it is found for all others.
const ANY_HOST: &str = "any.invalid";
/// A template is written as requests are: `%20` and `?` in it are what they are there.
const ENCODE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'%').remove(b'?');

/// How far an operation is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Every request that fits it has a route.
    Covered,
    /// The gateway answers 400 to every request that fits it, whatever the routes.
    Refused,
    /// Some requests that fit it have a route.
    Partly,
    /// None has.
    Uncovered,
    /// Its path is described in another document.
    Unread,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Refused => "refused",
            Self::Partly => "partly",
            Self::Uncovered => "uncovered",
            Self::Unread => "unread",
        }
    }

    /// Whether nothing is left to do about it.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Covered | Self::Refused)
    }
}

/// An operation and the routes that take its requests.
#[derive(Debug, Serialize)]
pub(super) struct Coverage {
    pub state: State,
    pub method: String,
    pub path: String,
    pub operation_id: Option<String>,
    /// Where it is described.
    pub described_at: String,
    pub routes: Vec<Taker>,
    /// What is to be known besides.
    pub note: Option<String>,
}

/// A route that takes requests of an operation.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Taker {
    pub route: String,
    pub hosts: Vec<String>,
    pub upstream: String,
    pub requirement: String,
    pub defined_at: String,
}

/// All operations of `description`, for requests to `host` or to any host.
pub(super) fn of(description: &Description, map: &RouteMap, host: Option<&str>) -> Vec<Coverage> {
    let operations = description.operations.iter();
    let operations = operations.map(|operation| Survey::of(operation, map, host).coverage());
    let unread = description.unread.iter().map(|unread| Coverage {
        state: State::Unread,
        method: "*".to_owned(),
        path: unread.path.clone(),
        operation_id: None,
        described_at: place(&unread.diagnostic.file, unread.diagnostic.line),
        routes: Vec::new(),
        note: Some(unread.diagnostic.message.clone()),
    });
    operations.chain(unread).collect()
}

fn place(file: &str, line: u32) -> String {
    format!("{file}:{line}")
}

/// What was found out about one operation.
struct Survey<'m> {
    operation: &'m Operation,
    state: State,
    /// Places in the map.
    routes: BTreeSet<usize>,
    map: &'m RouteMap,
}

impl<'m> Survey<'m> {
    fn of(operation: &'m Operation, map: &'m RouteMap, host: Option<&str>) -> Self {
        let targets = targets(&operation.template);
        let found: Vec<Found> = hosts(map, host)
            .iter()
            .flat_map(|host| targets.iter().map(move |target| (host, target)))
            .map(|(host, target)| find(map, &operation.method, host, target))
            .collect();
        let mut routes: BTreeSet<usize> = found.iter().filter_map(Found::route).collect();
        routes.extend(takers_of_some(operation, map, host));
        let state = if found.iter().all(|found| matches!(found, Found::Refused)) {
            State::Refused
        } else if found.iter().all(|found| !matches!(found, Found::Nothing)) {
            State::Covered
        } else if routes.is_empty() {
            State::Uncovered
        } else {
            State::Partly
        };
        Self {
            operation,
            state,
            routes,
            map,
        }
    }

    fn coverage(self) -> Coverage {
        let Operation {
            method,
            template,
            id,
            origin,
            ..
        } = self.operation;
        let routes = self.routes.iter().map(|at| &self.map.routes()[*at]);
        Coverage {
            state: self.state,
            method: method.to_string(),
            path: template.to_string(),
            operation_id: id.clone(),
            described_at: place(&origin.file, origin.line),
            routes: routes.map(|route| Taker::of(route)).collect(),
            note: self.note(),
        }
    }

    fn note(&self) -> Option<String> {
        let some = |text: &str| Some(text.to_owned());
        match self.state {
            State::Refused => some("the gateway answers such requests with 400"),
            State::Partly => some("other requests that fit it have no route"),
            _ => None,
        }
    }
}

impl Taker {
    fn of(route: &Route) -> Self {
        Self {
            route: route.label.to_string(),
            hosts: route.hosts.iter().map(ToString::to_string).collect(),
            upstream: route.upstream.to_string(),
            requirement: route.requirement.to_string(),
            defined_at: route.origin.to_string(),
        }
    }
}

/// The host that is asked, else one of each kind: a host with a route for a path answers
/// for it alone, so what holds for any host need not hold for that one.
fn hosts(map: &RouteMap, asked: Option<&str>) -> BTreeSet<String> {
    if let Some(host) = asked {
        return [host.to_owned()].into();
    }
    let named = map.routes().iter().flat_map(|route| &route.hosts);
    let named = named.map(|host| match host {
        HostPattern::Exact(host) => host.to_string(),
        HostPattern::Below(domain) => format!("any.{domain}"),
    });
    named.chain([ANY_HOST.to_owned()]).collect()
}

/// What became of one request.
enum Found {
    Route(usize),
    Nothing,
    Refused,
}

impl Found {
    fn route(&self) -> Option<usize> {
        match self {
            Self::Route(index) => Some(*index),
            Self::Nothing | Self::Refused => None,
        }
    }
}

fn find(map: &RouteMap, method: &Method, host: &str, target: &str) -> Found {
    let mut headers = HeaderMap::new();
    // A host that is none is refused by what reads the request, as it would be later.
    headers.extend(HeaderValue::from_str(host).map(|value| (header::HOST, value)));
    let request = CanonicalRequest::parse(&RawRequest {
        method,
        target: target.as_bytes(),
        authority: None,
        headers: &headers,
    });
    let Ok(request) = request else {
        return Found::Refused;
    };
    let segments = request.path().segments();
    let path = PathRef {
        segments: &segments,
        trailing_slash: request.path().trailing_slash(),
    };
    match map.find(request.method(), request.host(), &path) {
        Lookup::Found { index, .. } => Found::Route(index),
        Lookup::WrongMethod { .. } | Lookup::NotFound => Found::Nothing,
    }
}

/// Request targets that stand for all that fit the template.
fn targets(template: &Template) -> Vec<String> {
    let slashes = |part: &Part| matches!(part, Part::Value { slashes: true, .. });
    let most = if template.parts().any(slashes) {
        MOST_SEGMENTS
    } else {
        1
    };
    let optional = |part: &Part| matches!(part, Part::Value { optional: true, .. });
    let without = template.parts().any(optional).then(|| target(template, 0));
    let with = (1..=most).map(|length| target(template, length));
    without.into_iter().chain(with).collect()
}

/// Values that may hold slashes are `length` segments long; with 0, optional ones are gone.
fn target(template: &Template, length: usize) -> String {
    let value = utf8_percent_encode(ANY_VALUE, ENCODE).to_string();
    let mut target = String::new();
    for parts in template.segments() {
        let mut segment = String::new();
        for part in parts {
            match part {
                Part::Text(text) => {
                    segment.extend(utf8_percent_encode(text, ENCODE));
                }
                Part::Value { optional: true, .. } if length == 0 => {}
                Part::Value { slashes: true, .. } => {
                    segment.push_str(&vec![value.as_str(); length.max(1)].join("/"));
                }
                Part::Value { .. } => segment.push_str(&value),
            }
        }
        if !(length == 0 && segment.is_empty() && !parts.is_empty()) {
            target.push('/');
            target.push_str(&segment);
        }
    }
    target
}

/// Routes that may take some requests of the operation: those with a pattern that shares a
/// path with the template, but not all of them. A wider one is found by looking up.
fn takers_of_some(operation: &Operation, map: &RouteMap, host: Option<&str>) -> BTreeSet<usize> {
    let patterns: Vec<Pattern> = [false, true]
        .into_iter()
        .flat_map(|all| Pattern::parse_all(&pattern(&operation.template, all)).unwrap_or_default())
        .collect();
    let shares = |own: &Pattern| {
        patterns
            .iter()
            .any(|p| p.overlaps(own) && !p.is_within(own))
    };
    let takes_some = |route: &Route| {
        let reaches = match host {
            Some(host) => route.hosts.is_empty() || route.hosts.iter().any(|h| fits(h, host)),
            None => true,
        };
        reaches && route.methods.contains(&operation.method) && route.patterns.iter().any(shares)
    };
    let routes = map.routes().iter().enumerate();
    routes
        .filter(|(_, route)| takes_some(route))
        .map(|(at, _)| at)
        .collect()
}

fn fits(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Exact(exact) => **exact == *host,
        HostPattern::Below(domain) => host
            .strip_suffix(&**domain)
            .is_some_and(|rest| rest.ends_with('.')),
    }
}

/// In the place of a text that no pattern can spell, and that none with a literal takes.
const UNSPEAKABLE: &str = "~~~";

/// The template as a pattern, or the narrowest one that a pattern can say. With `all`, a
/// value with slashes takes all that follows.
fn pattern(template: &Template, all: bool) -> String {
    let mut pattern = String::new();
    for (at, parts) in template.segments().iter().enumerate() {
        let slashes = parts
            .iter()
            .any(|part| matches!(part, Part::Value { slashes: true, .. }));
        if slashes && all {
            return format!("{pattern}/{{p{at}...}}");
        }
        let written: String = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Value { .. } => format!("{{p{at}}}"),
            })
            .collect();
        let is_one = Pattern::parse_all(&format!("/{written}")).is_ok_and(|it| it.len() == 1);
        let is_last = at + 1 == template.segments().len();
        let holds_value = parts.iter().any(|part| matches!(part, Part::Value { .. }));
        let segment = if (is_one && !written.contains('(')) || (written.is_empty() && is_last) {
            written
        } else if holds_value {
            format!("{{p{at}}}")
        } else {
            UNSPEAKABLE.to_owned()
        };
        pattern.push('/');
        pattern.push_str(&segment);
    }
    pattern
}
