//! The route map: lines `METHOD HOST PATTERN` (`-` for any host), a line `?`, then requests
//! `METHOD HOST PATH`.
//!
//! What `find` returns is what a matcher of its own, on the patterns as they are written,
//! says: the host that answers, the methods it has, a route that matches, none that matches
//! and is narrower, and the values in the path.
#![no_main]

use std::collections::BTreeSet;

use http::Method;
use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::domain::{Rates, RoleScope};
use portcullis::policy::{
    Dialect, HostPattern, Lookup, Origin, PathRef, Pattern, Requirement, Route, RouteMap,
    RouteTimeouts,
};

/// Bounds the work of one input.
const MAX_LINES: usize = 24;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    let Some((routes, requests)) = text.split_once("\n?\n") else {
        return Corpus::Reject;
    };
    let lines = routes.lines().take(MAX_LINES).enumerate();
    let routes: Vec<Route> = lines.filter_map(|(at, line)| route(at, line)).collect();
    let Ok(map) = RouteMap::compile(routes) else {
        return Corpus::Keep;
    };
    for request in requests.lines().take(MAX_LINES) {
        check(&map, request);
    }
    Corpus::Keep
});

fn words(line: &str) -> Option<(Method, &str, &str)> {
    let (method, rest) = line.split_once(' ')?;
    let (host, path) = rest.split_once(' ')?;
    Some((method.parse().ok()?, host, path))
}

fn route(at: usize, line: &str) -> Option<Route> {
    let (method, host, pattern) = words(line)?;
    let hosts = match host {
        "-" => Vec::new(),
        host => vec![host.parse().ok()?],
    };
    Some(Route {
        label: pattern.into(),
        methods: vec![method],
        hosts,
        patterns: others(Pattern::parse_all(pattern).ok()?)?,
        upstream: "app".into(),
        respond: None,
        requirement: Requirement::Public {
            reason: "for a test".into(),
        },
        scope: RoleScope::Project,
        resource: None,
        objects: portcullis::policy::Objects::default(),
        when: None,
        tenant: None,
        project: None,
        event: "a.b".into(),
        re_auth: None,
        completeness: portcullis::policy::Completeness::default(),
        dialect: Dialect::Problem,
        forward_headers: Vec::new(),
        websocket: false,
        rate: Rates::default(),
        max_body: None,
        timeouts: RouteTimeouts::default(),
        origin: Origin {
            file: "fuzz".into(),
            line: u32::try_from(at).unwrap() + 1,
            column: 1,
        },
    })
}

/// Patterns outside the gateway's own part of the paths.
fn others(patterns: Vec<Pattern>) -> Option<Vec<Pattern>> {
    let own = patterns.iter().any(Pattern::is_reserved);
    (!own).then_some(patterns)
}

/// Whether a path is in that part, where no other route may be found.
fn is_own(segments: &[&str]) -> bool {
    matches!(
        segments,
        [".portcullis", ..] | [".well-known", "portcullis", ..]
    )
}

fn check(map: &RouteMap, request: &str) {
    let Some((method, host, path)) = words(request) else {
        return;
    };
    let Some(body) = path.strip_prefix('/') else {
        return;
    };
    let trailing_slash = body.is_empty() || body.ends_with('/');
    let body = body.strip_suffix('/').unwrap_or(body);
    let segments: Vec<&str> = body.split('/').filter(|_| !body.is_empty()).collect();
    if segments.contains(&"") || body.starts_with('/') {
        return;
    }
    let path = PathRef {
        segments: &segments,
        trailing_slash,
    };
    if is_own(&segments) {
        let found = map.find(&method, host, &path);
        assert!(matches!(found, Lookup::NotFound), "{segments:?}");
        return;
    }
    let fitting = fitting(map, host, &segments, trailing_slash);
    let of_method: Vec<_> = fitting
        .iter()
        .filter(|(route, ..)| route.methods[0] == method)
        .collect();
    match map.find(&method, host, &path) {
        Lookup::Found { route, params, .. } => {
            let found = of_method
                .iter()
                .find(|(fits, ..)| std::ptr::eq(*fits, &**route));
            let (_, values) = found.expect("what is found matches");
            for (name, value) in values {
                assert_eq!(params.get(name, &path).as_deref(), Some(&**value), "{name}");
            }
            for (other, _) in &of_method {
                let wider = |pattern: &Pattern| {
                    !pattern.matches(&path) || params.pattern().is_within(pattern)
                };
                assert!(
                    other.patterns.iter().all(wider),
                    "{} is narrower",
                    other.label
                );
            }
        }
        Lookup::WrongMethod { allowed } => {
            assert!(of_method.is_empty());
            let methods: BTreeSet<&str> = fitting
                .iter()
                .map(|(r, ..)| r.methods[0].as_str())
                .collect();
            assert!(!methods.is_empty());
            assert!(allowed.iter().map(Method::as_str).eq(methods));
        }
        Lookup::NotFound => assert!(fitting.is_empty()),
    }
}

type Values = Vec<(String, String)>;

/// The routes that match, of the most specific host that has any.
fn fitting<'m>(
    map: &'m RouteMap,
    host: &str,
    segments: &[&str],
    slash: bool,
) -> Vec<(&'m Route, Values)> {
    let matching = map.routes().iter().filter_map(|route| {
        let rank = match route.hosts.first() {
            None => 0,
            Some(HostPattern::Below(domain)) => {
                let below = host
                    .strip_suffix(&**domain)
                    .is_some_and(|rest| rest.ends_with('.'));
                below.then_some(1 + domain.len())?
            }
            Some(HostPattern::Exact(exact)) => (**exact == *host).then_some(usize::MAX)?,
        };
        let values = matched(&route.label, segments, slash)?;
        Some((rank, &**route, values))
    });
    let matching: Vec<_> = matching.collect();
    let best = matching.iter().map(|(rank, ..)| *rank).max();
    let best = matching
        .into_iter()
        .filter(|(rank, ..)| Some(*rank) == best);
    best.map(|(_, route, values)| (route, values)).collect()
}

/// The values of a pattern as it is written, if it matches.
fn matched(pattern: &str, segments: &[&str], slash: bool) -> Option<Values> {
    if pattern == "/" {
        return (segments.is_empty() && slash).then(Vec::new);
    }
    let body = pattern.strip_suffix('/');
    if slash != body.is_some() {
        return None;
    }
    let mut written = body.unwrap_or(pattern)[1..].split('/');
    let mut values = Vec::new();
    let mut at = 0;
    for one in written.by_ref() {
        let rest = segments.get(at..).filter(|rest| !rest.is_empty())?;
        if let Some(name) = one.strip_suffix("...}") {
            values.push((name[1..].to_owned(), rest.join("/")));
            return Some(values);
        }
        let text = rest[0];
        if let Some(alternatives) = one.strip_prefix('(') {
            let mut alternatives = alternatives.trim_end_matches(')').split('|');
            alternatives.find(|alternative| *alternative == text)?;
        } else if let Some((prefix, rest)) = one.split_once('{') {
            let (name, suffix) = rest.split_once('}')?;
            let longer = text.len() > prefix.len() + suffix.len();
            let fits = longer && text.starts_with(prefix) && text.ends_with(suffix);
            let value = fits.then(|| &text[prefix.len()..text.len() - suffix.len()])?;
            values.push((name.to_owned(), value.to_owned()));
        } else if one != text {
            return None;
        }
        at += 1;
    }
    (at == segments.len()).then_some(values)
}
