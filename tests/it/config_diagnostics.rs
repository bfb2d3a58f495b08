//! One snapshot a mistake that a person can make in the configuration.

mod listeners;
mod objects;
mod presets;
mod sign_in;

use std::fmt::Write;

use portcullis::config::{Diagnostic, Settings};

fn environment(name: &str) -> Option<String> {
    match name {
        "BAD" => Some("s3cret: [value".to_owned()),
        "CA" => Some("/nowhere/s3cret.pem".to_owned()),
        "SIX" => Some("6".to_owned()),
        _ => None,
    }
}

fn diagnose(text: &str) -> Vec<Diagnostic> {
    let parsed = Settings::parse("p.yaml", text, &environment);
    parsed.err().unwrap_or_default()
}

/// `## name` and the diagnostics, for each case; every case must have at least one.
fn diagnoses(cases: &[(&str, String)]) -> String {
    let mut shown = String::new();
    for (name, text) in cases {
        let diagnostics = diagnose(text);
        assert!(!diagnostics.is_empty(), "{name} is accepted:\n{text}");
        writeln!(shown, "## {name}").unwrap();
        for diagnostic in diagnostics {
            writeln!(shown, "{diagnostic}").unwrap();
        }
    }
    shown
}

/// Cases that add `text` to a file that is right.
fn with_head(head: &str, cases: &[(&str, &str)]) -> String {
    let cases: Vec<_> = cases
        .iter()
        .map(|(name, text)| (*name, format!("{head}{text}\n")))
        .collect();
    diagnoses(&cases)
}

#[test]
fn the_file_as_a_whole() {
    let shown = with_head(
        "",
        &[
            ("empty", ""),
            ("only a comment", "# nothing"),
            ("a list", "- version: 1"),
            ("a text", "version"),
            ("a tab", "version: 1\nlog:\n\tlevel: info"),
            ("syntax", "version: 1\nupstreams: { a: [ }"),
            ("two documents", "version: 1\n---\nversion: 1"),
            ("no version", "workers: 1"),
            ("other version", "version: 2"),
            ("version as text", "version: '1'"),
            ("unknown key", "version: 1\nworker: 2"),
            ("very unknown key", "version: 1\nfoo: 2"),
            ("duplicate key", "version: 1\nworkers: 1\nworkers: 2"),
            (
                "duplicate key deep down",
                "version: 1\nlog:\n  level: info\n  level: info",
            ),
            ("alias without anchor", "version: 1\nworkers: *n"),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn scalars() {
    let shown = with_head(
        "version: 1\n",
        &[
            ("nothing", "listen:"),
            ("number for text", "listen: 8080"),
            ("list for text", "listen: [a]"),
            ("text for number", "workers: two"),
            ("number out of bounds", "workers: 0"),
            ("fraction", "workers: 1.5"),
            ("text for list", "trusted_proxies: 10.0.0.0/8"),
            ("text for mapping", "log: info"),
            ("choice", "log: { format: jsno }"),
            ("duration without unit", "cache: { poll: 2 }"),
            ("duration with an unknown unit", "cache: { poll: 2sec }"),
            ("duration too long", "cache: { poll: 6s }"),
            ("duration too short", "cache: { poll: 50ms }"),
            ("size without unit", "audit: { max_bytes: 1000000 }"),
            ("size with an unknown unit", "audit: { max_bytes: 1GB }"),
            ("size too small", "audit: { max_bytes: 1KiB }"),
            (
                "yes for true",
                "upstreams: { a: { url: 'https://h', tls: { verify: yes } } }",
            ),
            ("unresolved variable", "listen: '${NOWHERE}'"),
            (
                "two unresolved variables",
                "listen: '${A1}'\nprivate_listen: '${A2}'",
            ),
            ("unclosed variable", "listen: '${A'"),
            ("malformed variable", "listen: '${A-b}'"),
            ("bad value of a variable", "listen: '${BAD}'"),
            ("bad number of a variable", "workers: '${BAD}'"),
            ("bad duration of a variable", "cache: { poll: '${SIX}s' }"),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn sections() {
    let shown = with_head(
        "version: 1\n",
        &[
            ("address", "listen: localhost"),
            (
                "same addresses",
                "listen: 127.0.0.1:80\nprivate_listen: 127.0.0.1:80",
            ),
            ("network", "trusted_proxies: [10.0.0.0/33]"),
            ("database without url", "database: {}"),
            (
                "database url",
                "database: { url: 'mysql://root:s3cret@h/d' }",
            ),
            ("database url of a variable", "database: { url: '${BAD}' }"),
            ("database unknown key", "database: { uri: 'postgres://h' }"),
            (
                "too few connections",
                "database: { url: 'postgres://h', max_connections: 1 }",
            ),
            ("log level", "log: { level: verbose }"),
            ("when full", "audit: { when_full: block }"),
            ("dialect", "errors: mlfow"),
            ("permission name", "permissions: { Widgets: [read] }"),
            ("permission action", "permissions: { widgets: ['*'] }"),
            (
                "preset unknown",
                "upstreams: { m: { url: 'http://h' } }\npresets: [ { name: seldon, upstream: m } ]",
            ),
            (
                "preset misspelt",
                "upstreams: { m: { url: 'http://h' } }\npresets: [ { name: mlflow-workspace, upstream: m } ]",
            ),
            (
                "preset without upstream",
                "presets: [ { name: mlflow-workspaces } ]",
            ),
            (
                "preset with unknown upstream",
                "upstreams: { mlflow: { url: 'http://h' } }\npresets: [ { name: mlflow-workspaces, upstream: mlfow } ]",
            ),
            (
                "preset twice",
                "upstreams: { m: { url: 'http://h' } }\npresets:\n- { name: mlflow-workspaces, upstream: m }\n- { name: mlflow-workspaces, upstream: m }",
            ),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn limits() {
    let shown = with_head(
        "version: 1\nlimits:\n  ",
        &[
            ("unknown key", "header_size: 1KiB"),
            ("no unit", "header_bytes: 4096"),
            ("too small", "header_bytes: 12B"),
            ("too large", "header_bytes: 2MiB"),
            ("too long a line", "request_line: 1MiB"),
            ("more fields than the parser takes", "header_count: 257"),
            ("none at all", "connections: 0"),
            ("a word", "requests: many"),
            ("too patient", "header_timeout: 1h"),
            ("an unknown word for a size", "body: infinite"),
            ("a negative number", "streams: -1"),
            ("no answer", "answer: 1B"),
            ("too long an answer", "answer: 2GiB"),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn identity() {
    let shown = with_head(
        "version: 1\nidentity:\n  headers:\n    ",
        &[
            ("unknown field", "X-Who: '{principal.mail}'"),
            ("very unknown field", "X-Who: '{user}'"),
            ("unbalanced brace", "X-Who: '{roles'"),
            ("control character", "X-Who: \"a\\nb\""),
            ("malformed name", "X Who: '{roles}'"),
            ("Host", "Host: a"),
            ("Authorization", "Authorization: 'Bearer {roles}'"),
            ("Content-Length, in another spelling", "content_length: '1'"),
            ("X-Forwarded-For", "X-Forwarded-For: '{principal.id}'"),
            ("Connection", "Connection: close"),
            ("method override", "X-HTTP-Method-Override: GET"),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn assertion() {
    let shown = with_head(
        "version: 1\nupstreams: { app: { url: 'http://127.0.0.1:1' } }\nidentity:\n  headers: { \
         X-Who: '{roles}' }\n  assertion: ",
        &[
            ("nobody's word", "{}"),
            ("an identity header", "{ issuer: a, header: x_who }"),
            ("one by default", "{ issuer: a, header: X-Forwarded-User }"),
            ("Authorization", "{ issuer: a, header: Authorization }"),
            ("another upstream", "{ issuer: a, audience: { ap: b } }"),
            ("the gateway's claim", "{ issuer: a, claims: { exp: '1' } }"),
            (
                "unknown field",
                "{ issuer: a, claims: { who: '{principal.mail}' } }",
            ),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn upstreams() {
    let shown = with_head(
        "version: 1\nupstreams:\n  ",
        &[
            ("name", "My_Server: { url: 'http://h' }"),
            ("neither url nor addresses", "m: {}"),
            (
                "url and addresses",
                "m: { url: 'http://h', addresses: ['h:1'] }",
            ),
            ("no url", "m: { url: localhost }"),
            ("other scheme", "m: { url: 'ftp://h' }"),
            ("user in the url", "m: { url: 'http://u:p@h' }"),
            ("path in the url", "m: { url: 'http://h/mlflow' }"),
            ("bad port", "m: { url: 'http://h:99999' }"),
            ("no address", "m: { addresses: [] }"),
            ("address without port", "m: { addresses: [h] }"),
            ("tls with http", "m: { url: 'http://h', tls: true }"),
            ("no tls with https", "m: { url: 'https://h', tls: false }"),
            (
                "unreadable CA file",
                "m: { url: 'https://h', tls: { ca_file: nowhere.pem } }",
            ),
            (
                "unreadable CA file of a variable",
                "m: { url: 'https://h', tls: { ca_file: '${CA}' } }",
            ),
            (
                "CA file without certificate",
                "m: { url: 'https://h', tls: { ca_file: Cargo.toml } }",
            ),
            ("host", "m: { url: 'http://h', host: 'a b' }"),
            (
                "no time-out",
                "m: { url: 'http://h', timeouts: { read: 0s } }",
            ),
            (
                "unknown time-out",
                "m: { url: 'http://h', timeouts: { reed: 1s } }",
            ),
            (
                "health path",
                "m: { url: 'http://h', health: { path: health } }",
            ),
            ("http2", "m: { url: 'http://h', http2: prior-knowledge }"),
            ("circuit", "m: { url: 'http://h', circuit: 5 }"),
            (
                "circuit without failures",
                "m: { url: 'http://h', circuit: { failures: 0 } }",
            ),
            (
                "circuit without cool-down",
                "m: { url: 'http://h', circuit: { cooldown: 1ms } }",
            ),
            (
                "WebSocket over HTTP/2",
                "m: { url: 'http://h', http2: true }\nroutes: [{ route: GET /a, upstream: m, authenticated: true, websocket: true }]",
            ),
        ],
    );
    insta::assert_snapshot!(shown);
}

const ROUTES: &str = "version: 1\nupstreams: { m: { url: 'http://h' } }\nroutes:\n";

#[test]
fn route_lines() {
    let route =
        |line: &str| format!("{ROUTES}- {{ route: '{line}', upstream: m, authenticated: true }}\n");
    let cases = [
        ("no method", "/a"),
        ("lower-case method", "get /a"),
        ("CONNECT", "CONNECT /a"),
        ("TRACE", "GET|TRACE /a"),
        ("method twice", "GET|GET /a"),
        ("empty method", "GET| /a"),
        ("odd method", "G3T /a"),
        ("no slash", "GET a"),
        ("double slash", "GET /a//b"),
        ("dots", "GET /a/../b"),
        ("escape", "GET /a%20b"),
        ("query", "GET /a?b=1"),
        ("star", "GET /a/*"),
        ("angle brackets", "GET /a/<id>"),
        ("colon", "GET /a/:id"),
        ("unclosed brace", "GET /a/{id"),
        ("empty name", "GET /a/{}"),
        ("name", "GET /a/{the-id}"),
        ("two values in a segment", "GET /a/{b}{c}"),
        ("name twice", "GET /{a}/{a}"),
        ("tail in the middle", "GET /{a...}/b"),
        ("tail with a prefix", "GET /v{a...}"),
        ("alternation in part of a segment", "GET /v(1|2)"),
        ("alternation unclosed", "GET /(a|b"),
        ("reserved", "GET /.portcullis/x"),
        ("reserved, well known", "GET /.well-known/portcullis/x"),
    ];
    let shown = diagnoses(&cases.map(|(name, line)| (name, route(line))));
    insta::assert_snapshot!(shown);
}

#[test]
fn route_requirements() {
    let head = format!("{ROUTES}- route: GET /a/{{id}}\n  ");
    let shown = with_head(
        &head,
        &[
            ("no requirement", "upstream: m"),
            (
                "two requirements",
                "upstream: m\n  authenticated: true\n  public: why not",
            ),
            (
                "misspelt requirement",
                "upstream: m\n  permision: runs:read",
            ),
            (
                "authenticated: false",
                "upstream: m\n  authenticated: false",
            ),
            ("public without a reason", "upstream: m\n  public: true"),
            ("public with an empty reason", "upstream: m\n  public: ' '"),
            ("deny without a reason", "deny:"),
            ("unknown permission", "upstream: m\n  permission: run:read"),
            (
                "very unknown permission",
                "upstream: m\n  permission: gizmos:frobnicate",
            ),
            ("malformed permission", "upstream: m\n  permission: runs"),
            ("no upstream", "authenticated: true"),
            ("unknown upstream", "upstream: mm\n  authenticated: true"),
            (
                "scope",
                "upstream: m\n  permission: runs:read\n  scope: tennant",
            ),
            (
                "scope without permission",
                "upstream: m\n  authenticated: true\n  scope: tenant",
            ),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn route_fields() {
    let head = format!("{ROUTES}- route: GET /a/{{id}}\n  ");
    let shown = with_head(
        &head,
        &[
            (
                "host in capitals",
                "upstream: m\n  authenticated: true\n  hosts: [Example.com]",
            ),
            (
                "host with port",
                "upstream: m\n  authenticated: true\n  hosts: ['example.com:80']",
            ),
            (
                "host twice",
                "upstream: m\n  authenticated: true\n  hosts: [a.b, a.b]",
            ),
            (
                "resource without id",
                "upstream: m\n  authenticated: true\n  resource: { type: thing }",
            ),
            (
                "resource type",
                "upstream: m\n  authenticated: true\n  resource: { type: My-Thing, id: path.id }",
            ),
            (
                "path source that is not there",
                "upstream: m\n  authenticated: true\n  resource: { type: thing, id: path.ip }",
            ),
            (
                "unknown source",
                "upstream: m\n  authenticated: true\n  resource: { type: thing, id: cookie./id }",
            ),
            (
                "source",
                "upstream: m\n  authenticated: true\n  project: cookie.project",
            ),
            (
                "source in a credential",
                "upstream: m\n  authenticated: true\n  project: header.Authorization",
            ),
            (
                "event",
                "upstream: m\n  authenticated: true\n  event: Thing Read",
            ),
            (
                "dialect of a route",
                "upstream: m\n  authenticated: true\n  errors: json",
            ),
            (
                "forwarding an owned header",
                "upstream: m\n  authenticated: true\n  forward_headers: [X_Forwarded_User]",
            ),
            (
                "forwarding a credential",
                "upstream: m\n  authenticated: true\n  forward_headers: [Cookie]",
            ),
            (
                "forwarding a hop-by-hop header",
                "upstream: m\n  authenticated: true\n  forward_headers: [Upgrade]",
            ),
            (
                "forwarding an override",
                "upstream: m\n  authenticated: true\n  forward_headers: [X-Original-URL]",
            ),
            (
                "forwarding a malformed name",
                "upstream: m\n  authenticated: true\n  forward_headers: ['a b']",
            ),
            (
                "WebSocket on a denied route",
                "deny: never\n  websocket: true\n  timeouts: { read: 1s }\n  forward_headers: [X-A]\n  max_body: 1KiB",
            ),
            (
                "time-out of a route",
                "upstream: m\n  authenticated: true\n  timeouts: { read: 10 }",
            ),
            (
                "fixed answer without body",
                "authenticated: true\n  respond: { status: 200 }",
            ),
            (
                "fixed answer's status",
                "authenticated: true\n  respond: { status: 42, body: {} }",
            ),
            (
                "same route twice",
                "upstream: m\n  authenticated: true\n- route: GET|POST /a/{name}\n  upstream: m\n  authenticated: true",
            ),
            (
                "overlapping routes",
                "upstream: m\n  authenticated: true\n- route: GET /{x}/b\n  upstream: m\n  authenticated: true",
            ),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn rate_limits() {
    let shown = with_head(
        "version: 1\n",
        &[
            ("a number", "rate: 100"),
            ("nothing limited", "rate: {}"),
            ("unknown dimension", "rate: { adress: 1/s }"),
            ("a number for a limit", "rate: { key: 100 }"),
            ("no unit", "rate: { key: '100' }"),
            ("unknown unit", "rate: { key: 100/min }"),
            ("no number", "rate: { key: /s }"),
            ("a fraction", "rate: { key: 0.5/s }"),
            ("zero", "rate: { key: 0/s }"),
            ("too many", "rate: { key: 1000001/s }"),
            (
                "beyond any number",
                "rate: { key: 99999999999999999999999/s }",
            ),
            ("a variable", "rate: { key: '${BAD}' }"),
            ("no limit", "rate: { key: { burst: 5 } }"),
            ("burst of zero", "rate: { key: { limit: 1/s, burst: 0 } }"),
            (
                "burst as text",
                "rate: { key: { limit: 1/s, burst: many } }",
            ),
            (
                "burst for years",
                "rate: { key: { limit: 1/d, burst: 366 } }",
            ),
            (
                "unknown key of a limit",
                "rate: { key: { limit: 1/s, bursts: 2 } }",
            ),
            (
                "several mistakes",
                "rate: { key: 0/s, address: 1/y, tenant: { limit: x, burst: 0 } }",
            ),
            ("no redis", "rate_limits: {}"),
            (
                "redis without url",
                "rate_limits: { redis: { timeout: 50ms } }",
            ),
            ("redis as text", "rate_limits: { redis: 'redis://h' }"),
            (
                "other scheme",
                "rate_limits: { redis: { url: 'http://:s3cret@h' } }",
            ),
            (
                "redis port",
                "rate_limits: { redis: { url: 'redis://:s3cret@h:port' } }",
            ),
            (
                "redis of a variable",
                "rate_limits: { redis: { url: '${BAD}' } }",
            ),
            (
                "redis time-out",
                "rate_limits: { redis: { url: 'redis://h', timeout: 6s } }",
            ),
            (
                "redis away",
                "rate_limits: { redis: { url: 'redis://h', when_away: locally } }",
            ),
            (
                "closed route",
                "routes: [ { route: GET /a, deny: x, rate: { address: 1/s } } ]",
            ),
            (
                "tenant on a public route",
                "routes: [ { route: GET /a, public: x, respond: { body: 1 }, rate: { tenant: 1/s } } ]",
            ),
        ],
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn forwarding_a_configured_identity_header() {
    let text = format!(
        "{ROUTES}- {{ route: GET /a, upstream: m, public: x, forward_headers: [kubeflow_userid] }}
identity: {{ headers: {{ Kubeflow-Userid: '{{principal.email}}' }} }}
"
    );
    let shown = diagnoses(&[("owned by configuration", text)]);
    insta::assert_snapshot!(shown);
}

#[test]
fn overlapping_a_presets_route() {
    let shown = with_head(
        "version: 1\nupstreams: { m: { url: 'http://h' } }\n\
         presets: [ { name: mlflow-workspaces, upstream: m } ]\nroutes:\n",
        &[(
            "one method of two",
            "- { route: GET /ajax-api/3.0/mlflow/ui-telemetry, deny: no }",
        )],
    );
    // The preset's own lines come and go.
    let (before, rest) = shown.split_once("workspaces:").unwrap();
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let shown = format!("{before}workspaces:N{after}");
    insta::assert_snapshot!(shown);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "\
version: 1
listen: localhost
listen: 127.0.0.1:8080
workers: none
database: { uri: '${NOWHERE}' }
upstreams:
  mlflow: { url: 'http://127.0.0.1:5000', timeout: { read: 5 } }
routes:
  - route: GET /a/{b}
    upstream: mlfow
    permission: model:read
  - route: get /a
    upstream: mlflow
    resource: { type: thing, id: path.c }
  - route: GET /{a}/b
    upstream: mlflow
    permission: models:read
    event: x
  - route: GET /a/{c}
    upstream: mlflow
    public: yes indeed
identity:
  headers: { Host: '{nobody}' }
";
    let shown = diagnoses(&[("many", text.to_owned())]);
    insta::assert_snapshot!(shown);
}

#[test]
fn a_value_from_a_variable_is_never_shown() {
    for key in [
        "listen",
        "data_dir",
        "database",
        "workers",
        "errors",
        "trusted_proxies",
        "upstreams",
        "routes",
        "log",
        "identity",
        "version",
    ] {
        for value in [
            "'${BAD}'",
            "['${BAD}']",
            "{ url: '${BAD}', level: '${BAD}' }",
        ] {
            let text = format!("version: 1\n{key}: {value}\n");
            for diagnostic in diagnose(&text) {
                assert!(!diagnostic.to_string().contains("s3cret"), "{diagnostic}");
            }
        }
    }
}

#[test]
fn a_value_from_a_variable_is_never_read_as_yaml() {
    let environment = |_: &str| Some("a\nworkers: 7".to_owned());
    let settings = Settings::parse("p.yaml", "version: 1\ndata_dir: ${X}\n", &environment).unwrap();
    assert_eq!(settings.workers, None);
    assert!(settings.data_dir.to_str().unwrap().contains("workers: 7"));
}

#[test]
fn variables_may_give_numbers() {
    let settings =
        Settings::parse("p.yaml", "version: 1\nworkers: ${SIX}\n", &environment).unwrap();
    assert_eq!(settings.workers, Some(6));
}

#[test]
fn anchors_are_fine_but_bombs_are_not() {
    let shared = format!(
        "{ROUTES}- &r {{ route: GET /a, upstream: m, public: x, timeouts: &t {{ read: 1s }} }}
- {{ route: GET /b, upstream: m, public: x, timeouts: *t }}\n"
    );
    assert_eq!(diagnose(&shared), []);
    let mut bomb = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{below}]").unwrap();
    }
    let diagnostics = diagnose(&bomb);
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    assert!(diagnostics[0].message.starts_with("not valid YAML"));
}

/// The reader keeps the comments that stand before a value; there may be many.
#[test]
fn a_long_part_that_is_commented_out_is_no_mistake() {
    let comments = "  # - route: GET /later\n".repeat(10_000);
    let text = format!("version: 1\nroutes:\n{comments}  - {{ route: GET /, deny: no }}\n");
    assert_eq!(diagnose(&text), []);
}
