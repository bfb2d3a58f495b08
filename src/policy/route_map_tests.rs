use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::domain::RoleScope;
use crate::policy::{Completeness, Dialect, Origin, Requirement, RouteTimeouts};

pub(in crate::policy) fn route(text: &str) -> Route {
    let (methods, rest) = text.split_once(' ').unwrap();
    let (hosts, pattern) = rest.split_at(rest.find('/').unwrap());
    Route {
        label: text.into(),
        methods: methods.split('|').map(|m| m.parse().unwrap()).collect(),
        hosts: hosts
            .split_terminator(',')
            .map(|h| h.parse().unwrap())
            .collect(),
        patterns: Pattern::parse_all(pattern).unwrap(),
        upstream: "backend".into(),
        respond: None,
        requirement: Requirement::Authenticated,
        scope: RoleScope::Project,
        resource: None,
        objects: crate::policy::Objects::default(),
        tenant: None,
        when: None,
        project: None,
        event: "request.forwarded".into(),
        re_auth: None,
        completeness: Completeness::default(),
        dialect: Dialect::Problem,
        forward_headers: Vec::new(),
        websocket: false,
        timeouts: RouteTimeouts::default(),
        rate: crate::domain::Rates::default(),
        max_body: None,
        origin: Origin {
            file: "test".into(),
            line: 1,
            column: 1,
        },
    }
}

fn compile<T: AsRef<str>>(routes: &[T]) -> Result<RouteMap, Vec<Conflict>> {
    RouteMap::compile(routes.iter().map(|text| route(text.as_ref())).collect())
}

/// `label`, `405 GET|…` or `404`.
fn find(map: &RouteMap, request: &str) -> String {
    let (method, url) = request.split_once(' ').unwrap();
    let (host, path) = url.split_at(url.find('/').unwrap());
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let path = PathRef {
        segments: &segments,
        trailing_slash: path.ends_with('/'),
    };
    match map.find(&method.parse().unwrap(), host, &path) {
        Lookup::Found { route, index, .. } => {
            assert!(Arc::ptr_eq(route, &map.routes()[index]));
            route.label.to_string()
        }
        Lookup::WrongMethod { allowed } => {
            let allowed: Vec<_> = allowed.iter().map(Method::as_str).collect();
            format!("405 {}", allowed.join("|"))
        }
        Lookup::NotFound => "404".to_owned(),
    }
}

#[test]
fn the_most_specific_pattern_wins() {
    let map = compile(&[
        "GET /{t...}",
        "GET /m/{x}",
        "GET /m/{x}:go",
        "GET /m/v{x}:go",
        "GET /m/v1:go",
    ])
    .unwrap();
    for (request, label) in [
        ("GET /m/v1:go", "GET /m/v1:go"),
        ("GET /m/v2:go", "GET /m/v{x}:go"),
        ("GET /m/x:go", "GET /m/{x}:go"),
        ("GET /m/x", "GET /m/{x}"),
        ("GET /m/x/y", "GET /{t...}"),
        ("GET /m", "GET /{t...}"),
        ("GET /", "404"),
        ("GET /m/x/", "404"),
        ("HEAD /m/x", "405 GET"),
    ] {
        assert_eq!(find(&map, request), label, "{request}");
    }
}

#[test]
fn a_dead_branch_is_left_again() {
    let map = compile(&["GET /a/b/c", "GET /{x}/b/d"]).unwrap();
    assert_eq!(find(&map, "GET /a/b/d"), "GET /{x}/b/d");
    assert_eq!(find(&map, "GET /a/b/e"), "404");
}

#[test]
fn the_pattern_is_chosen_among_the_routes_of_the_method() {
    let map = compile(&["GET /m/{x}", "POST|PUT /m/search"]).unwrap();
    assert_eq!(find(&map, "GET /m/search"), "GET /m/{x}");
    assert_eq!(find(&map, "DELETE /m/search"), "405 GET|POST|PUT");
    assert_eq!(find(&map, "POST /m/other"), "405 GET");
}

#[test]
fn the_most_specific_host_that_has_the_path_decides_alone() {
    let map = compile(&[
        "GET|POST /x",
        "GET *.example.com/x",
        "GET *.ml.example.com/{any}",
        "PUT a.ml.example.com/x",
    ])
    .unwrap();
    for (request, outcome) in [
        ("GET other/x", "GET|POST /x"),
        ("GET example.com/x", "GET|POST /x"),
        ("GET www.example.com/x", "GET *.example.com/x"),
        ("POST www.example.com/x", "405 GET"),
        ("GET b.ml.example.com/x", "GET *.ml.example.com/{any}"),
        ("GET c.b.ml.example.com/y", "GET *.ml.example.com/{any}"),
        ("PUT a.ml.example.com/x", "PUT a.ml.example.com/x"),
        ("GET a.ml.example.com/x", "405 PUT"),
        ("GET a.ml.example.com/y", "GET *.ml.example.com/{any}"),
        ("GET www.example.com/y", "404"),
    ] {
        assert_eq!(find(&map, request), outcome, "{request}");
    }
}

#[test]
fn values_come_by_name() {
    let map = compile(&["GET /(api|ajax)/{kind}/{rest...}"]).unwrap();
    let path = PathRef {
        segments: &["ajax", "runs", "a", "b"],
        trailing_slash: false,
    };
    let Lookup::Found { params, .. } = map.find(&Method::GET, "h", &path) else {
        panic!("not found");
    };
    assert_eq!(params.get("kind", &path).unwrap(), "runs");
    assert_eq!(params.get("rest", &path).unwrap(), "a/b");
    assert_eq!(params.get("none", &path), None);
}

fn conflicts(routes: &[&str]) -> Vec<String> {
    let conflicts = compile(routes).err().unwrap_or_default();
    conflicts.iter().map(ToString::to_string).collect()
}

#[test]
fn ambiguous_routes_are_refused() {
    assert_eq!(
        conflicts(&["GET /a/{x}", "GET|POST /{y}/b"]),
        [
            "route `GET|POST /{y}/b` conflicts with `GET /a/{x}` at test:1: \
          both match `/a/b` and neither is more specific"
        ]
    );
    assert_eq!(
        conflicts(&["GET /m/v{x}", "GET /m/{x}:go"]),
        [
            "route `GET /m/{x}:go` conflicts with `GET /m/v{x}` at test:1: \
          both match `/m/vx:go` and neither is more specific"
        ]
    );
    assert_eq!(
        conflicts(&["GET /{x}/b/{t...}", "GET /a/{t...}"]),
        [
            "route `GET /a/{t...}` conflicts with `GET /{x}/b/{t...}` at test:1: \
          both match `/a/b/x` and neither is more specific"
        ]
    );
}

#[test]
fn twice_the_same_is_refused_once_a_pair() {
    assert_eq!(
        conflicts(&["GET|PUT /a/{x}", "GET|PUT|POST /a/{y}"]),
        [
            "route `GET|PUT|POST /a/{y}` conflicts with `GET|PUT /a/{x}` at test:1: \
          both match the very same requests"
        ]
    );
}

#[test]
fn a_third_route_for_the_overlap_settles_it() {
    assert!(conflicts(&["GET /a/{x}", "GET /{y}/b", "GET /a/b"]).is_empty());
    let tails = ["GET /{x}/b/{t...}", "GET /a/{t...}", "GET /a/b/{t...}"];
    assert!(conflicts(&tails).is_empty());
}

#[test]
fn other_methods_hosts_or_slashes_do_not_conflict() {
    assert!(conflicts(&["GET /a/{x}", "POST /{y}/b"]).is_empty());
    assert!(conflicts(&["GET h/a/{x}", "GET /{y}/b"]).is_empty());
    assert!(conflicts(&["GET /a/{x}/", "GET /{y}/b"]).is_empty());
}

#[test]
fn the_number_of_conflicts_told_is_bounded() {
    let routes: Vec<String> = (0..200)
        .flat_map(|n| [format!("GET /l{n}/{{x}}"), format!("GET /{{y}}/r{n}")])
        .collect();
    assert_eq!(compile(&routes).unwrap_err().len(), conflict::MAX);
}

/// Every mixture of `a` and `{x}` on twelve levels: the worst map for going back.
#[test]
fn a_lookup_visits_no_node_twice() {
    let mut trie = Trie::default();
    for mask in 0..4096_usize {
        let segment = |level: usize| match mask >> level & 1 {
            0 => "/a".to_owned(),
            _ => format!("/{{x{level}}}"),
        };
        let text: String = (0..12).map(segment).collect();
        let leaf = Leaf {
            route: mask,
            pattern: 0,
        };
        trie.insert(&Pattern::parse_all(&text).unwrap()[0], leaf)
            .unwrap();
    }
    let path = PathRef {
        segments: &["a"; 13],
        trailing_slash: false,
    };
    let mut visits = 0;
    assert_eq!(trie.find(&path, &mut || visits += 1), None);
    assert!(visits <= trie.size(), "{visits} of {}", trie.size());
}

/// A realistic map of 10,000 routes costs a lookup no more steps than one of ten.
#[test]
fn the_steps_of_a_lookup_do_not_grow_with_the_map() {
    let steps = |count: usize| {
        let mut trie = Trie::default();
        for n in 0..count {
            let text = format!("/api/v2/tenants/{{t}}/kind{n}/{{id}}");
            let leaf = Leaf {
                route: n,
                pattern: 0,
            };
            trie.insert(&Pattern::parse_all(&text).unwrap()[0], leaf)
                .unwrap();
        }
        let path = PathRef {
            segments: &["api", "v2", "tenants", "acme", "kind7", "9"],
            trailing_slash: false,
        };
        let mut visits = 0;
        assert!(trie.find(&path, &mut || visits += 1).is_some());
        visits
    };
    assert_eq!(steps(10), 7);
    assert_eq!(steps(10_000), 7);
}

#[test]
fn ten_thousand_routes_compile() {
    let routes: Vec<String> = (0..10_000)
        .map(|n| format!("GET|POST /api/v{}/kind{n}/{{id}}/parts/{{part}}", n % 3))
        .chain(["GET|POST /{everything...}".to_owned()])
        .collect();
    let map = compile(&routes).unwrap();
    assert_eq!(find(&map, "POST /api/v0/kind9999/1/parts/2"), routes[9999]);
    assert_eq!(find(&map, "GET /else"), "GET|POST /{everything...}");
}

fn pattern_text() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => "[ab]{1,2}",
        1 => Just("{N}".to_owned()),
        1 => Just("a{N}".to_owned()),
        1 => Just("{N}b".to_owned()),
        1 => Just("a{N}b".to_owned()),
        1 => Just("{N...}".to_owned()),
    ];
    (
        prop::collection::vec(segment, 0..4),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(mut segments, slash)| {
            if let Some(at) = segments.iter().position(|s| s == "{N...}") {
                segments.truncate(at + 1);
            }
            let named = segments.iter().enumerate();
            let named = named.map(|(at, s)| s.replace('N', &format!("n{at}")));
            let text = named.fold(String::new(), |text, segment| text + "/" + &segment);
            let slash = if slash && !text.is_empty() { "/" } else { "" };
            if text.is_empty() {
                "/".to_owned()
            } else {
                text + slash
            }
        })
}

fn route_text() -> impl Strategy<Value = String> {
    let method = prop_oneof![Just("GET"), Just("POST"), Just("GET|POST")];
    let host = prop_oneof![4 => Just(""), 1 => Just("h.x"), 1 => Just("*.x"), 1 => Just("*.h.x")];
    (method, host, pattern_text()).prop_map(|(m, h, p)| format!("{m} {h}{p}"))
}

/// The rule in the plainest words that can run.
fn reference(
    routes: &[Arc<Route>],
    method: &Method,
    host: &str,
    path: &PathRef<'_, String>,
) -> Vec<usize> {
    let rank = |pattern: &HostPattern| match pattern {
        HostPattern::Exact(exact) if **exact == *host => Some(usize::MAX),
        HostPattern::Below(domain) if host.ends_with(&format!(".{domain}")) => Some(domain.len()),
        _ => None,
    };
    let mut matching: HashMap<usize, Vec<(usize, &Pattern)>> = HashMap::new();
    for (index, route) in routes.iter().enumerate() {
        let any = route.hosts.is_empty().then_some(0);
        for rank in route.hosts.iter().filter_map(rank).chain(any) {
            for pattern in route.patterns.iter().filter(|p| p.matches(path)) {
                matching.entry(rank).or_default().push((index, pattern));
            }
        }
    }
    let Some((_, of_host)) = matching.into_iter().max_by_key(|(rank, _)| *rank) else {
        return Vec::new();
    };
    let of_method: Vec<_> = of_host
        .into_iter()
        .filter(|(index, _)| routes[*index].methods.contains(method))
        .collect();
    let most_specific = |p: &Pattern| of_method.iter().all(|(_, other)| p.is_within(other));
    let best: Vec<_> = of_method.iter().filter(|(_, p)| most_specific(p)).collect();
    assert!(
        of_method.is_empty() || best.len() == 1,
        "ambiguous: {of_method:?}"
    );
    best.into_iter().map(|(index, _)| *index).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn find_agrees_with_the_reference(
        texts in prop::collection::vec(route_text(), 1..12),
        paths in prop::collection::vec(
            (prop::collection::vec("[ab]{1,3}", 0..5), any::<bool>()), 1..8),
    ) {
        // What conflicts is left out, as an operator would.
        let mut kept: Vec<&String> = Vec::new();
        for text in &texts {
            kept.push(text);
            if compile(&kept).is_err() {
                kept.pop();
            }
        }
        let map = compile(&kept).unwrap();
        for (segments, trailing_slash) in &paths {
            let path = PathRef { segments, trailing_slash: *trailing_slash };
            for host in ["h.x", "g.h.x", "other"] {
                for method in [Method::GET, Method::POST] {
                    let expected = reference(map.routes(), &method, host, &path);
                    let found = match map.find(&method, host, &path) {
                        Lookup::Found { index, .. } => vec![index],
                        _ => Vec::new(),
                    };
                    prop_assert_eq!(found, expected, "{:?} {} {:?} {:?}", kept, host, method, path);
                }
            }
        }
    }
}
