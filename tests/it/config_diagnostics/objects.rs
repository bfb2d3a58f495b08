//! Types of objects, and what routes say about them.

use super::with_head;

const HEAD: &str = "version: 1\nupstreams: { m: { url: 'http://h' } }\n";

/// A route with a permission, to which `text` adds a line.
fn on_a_route(cases: &[(&str, &str)]) -> String {
    let head = format!(
        "{HEAD}resources:
- {{ type: workspace, upstream: m, owner: backend }}
- {{ type: version, upstream: m, via: {{ type: model, prefix: '/' }} }}
routes:
- route: POST /a/{{id}}
  upstream: m
  permission: runs:update
"
    );
    let cases: Vec<_> = cases
        .iter()
        .map(|(name, text)| (*name, format!("  {text}")))
        .collect();
    let cases: Vec<_> = cases.iter().map(|(name, text)| (*name, &**text)).collect();
    with_head(&head, &cases)
}

#[test]
fn types() {
    let shown = with_head(
        &format!("{HEAD}resources:\n"),
        &[
            ("no type", "- { upstream: m }"),
            ("no upstream", "- { type: run }"),
            ("unknown upstream", "- { type: run, upstream: n }"),
            ("no word", "- { type: Run, upstream: m }"),
            ("unknown key", "- { type: run, upstream: m, parent: x }"),
            ("owner", "- { type: run, upstream: m, owner: me }"),
            (
                "owner and via",
                "- { type: run, upstream: m, owner: backend, via: { type: x, prefix: / } }",
            ),
            ("several types", "- { type: [run, trace], upstream: m }"),
            (
                "twice",
                "- { type: run, upstream: m }\n- { type: run, upstream: m, owner: backend }",
            ),
            (
                "via without a way",
                "- { type: run, upstream: m, via: { type: experiment } }",
            ),
            (
                "via with two ways",
                "- { type: run, upstream: m, via: { type: e, prefix: /, request: 'GET /{id}', id: /e } }",
            ),
            (
                "what a prefix does not need",
                "- { type: run, upstream: m, via: { type: e, prefix: /, immutable: true, id: /x } }",
            ),
            (
                "via to itself",
                "- { type: run, upstream: m, via: { type: run, prefix: / } }",
            ),
            (
                "via in a circle",
                "- { type: a, upstream: m, via: { type: b, prefix: / } }\n\
                 - { type: b, upstream: m, via: { type: c, prefix: / } }\n\
                 - { type: c, upstream: m, via: { type: a, prefix: / } }",
            ),
            (
                "via to what the backend keeps",
                "- { type: a, upstream: m, owner: backend }\n\
                 - { type: b, upstream: m, via: { type: a, prefix: / } }",
            ),
            (
                "too far away",
                "- { type: a, upstream: m, via: { type: b, prefix: / } }\n\
                 - { type: b, upstream: m, via: { type: c, prefix: / } }\n\
                 - { type: c, upstream: m, via: { type: d, prefix: / } }\n\
                 - { type: d, upstream: m, via: { type: e, prefix: / } }\n\
                 - { type: e, upstream: m, via: { type: f, prefix: / } }",
            ),
            (
                "list of what is not recorded",
                "- { type: a, upstream: m, owner: backend, list: { request: GET /a, items: /a, id: /id } }",
            ),
            (
                "half of the pages",
                "- { type: a, upstream: m, list: { request: GET /a, items: /a, id: /id, next: /n } }",
            ),
            (
                "token in a header",
                "- { type: a, upstream: m, list: { request: GET /a, items: /a, id: /id, next: /n, token: header.X-T } }",
            ),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn requests_of_the_gateways_own() {
    let via =
        |more: &str| format!("- {{ type: run, upstream: m, via: {{ type: experiment, {more} }} }}");
    let cases = [
        ("no request line", via("request: /x, id: /e")),
        ("method", via("request: 'get /{id}', id: /e")),
        ("path", via("request: 'GET x/{id}', id: /e")),
        ("fragment", via("request: 'GET /x#{id}', id: /e")),
        ("without the id", via("request: GET /x, id: /e")),
        ("other field", via("request: 'GET /x/{run}', id: /e")),
        (
            "id in the midst of a text",
            via("request: POST /x, body: { filter: \"id = '{id}'\" }, id: /e"),
        ),
        ("no place of the parent", via("request: 'GET /{id}'")),
        ("malformed place", via("request: 'GET /{id}', id: e/x")),
        (
            "bulk without the ids",
            via(
                "request: 'GET /{id}', id: /e, bulk: { request: POST /x, items: /x, key: /k, id: /e }",
            ),
        ),
        (
            "bulk without its parts",
            via("request: 'GET /{id}', id: /e, bulk: { max: 1 }"),
        ),
    ];
    let cases: Vec<_> = cases.iter().map(|(name, text)| (*name, &**text)).collect();
    insta::assert_snapshot!(with_head(&format!("{HEAD}resources:\n"), &cases));
}

#[test]
fn defaults_of_bodies() {
    let shown = with_head(
        HEAD,
        &[
            ("keys", "bodies: { keys: fold }"),
            ("size", "bodies: { max: 1GiB }"),
            ("unknown key", "bodies: { format: json }"),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn names_of_objects() {
    let shown = on_a_route(&[
        ("no place", "resource: { type: run, id: [] }"),
        (
            "place twice",
            "resource: { type: run, id: [query.a, query.a] }",
        ),
        ("no pointer", "resource: { type: run, id: body.run_id }"),
        (
            "malformed pointer",
            "resource: { type: run, id: body./a~2 }",
        ),
        ("no name", "resource: { type: run, id: query. }"),
        ("project in the body", "project: body./project"),
        ("several projects", "project: query.project/*"),
        (
            "a mapping for a list",
            "references: { type: run, id: path.id }",
        ),
        ("no type", "references: [ { id: query.a } ]"),
        (
            "unknown path value",
            "references: [ { type: run, id: path.ip } ]",
        ),
        (
            "visible to whom",
            "references: [ { type: run, id: query.a, visible: { request: 'GET /{id}' } } ]",
        ),
        (
            "visible without an id",
            "references: [ { type: workspace, id: query.a, visible: { request: 'GET /x' } } ]",
        ),
        (
            "visible without a request",
            "references: [ { type: workspace, id: query.a, visible: {} } ]",
        ),
        (
            "visible besides forms",
            "references: [ { type: workspace, id: query.a, forms: [ 'w:{id}' ], visible: { request: 'GET /{id}' } } ]",
        ),
        (
            "form without a type",
            "references: [ { id: query.a, forms: [ 'runs:/{id}' ] } ]",
        ),
        (
            "no form",
            "references: [ { type: run, id: query.a, forms: [] } ]",
        ),
        (
            "forms",
            "references: [ { type: run, id: query.a, forms: [ 'runs:/', '{id}/{id}', 'a*{id}', 'a{id}*', '{run}{id}' ] } ]",
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn contents() {
    let shown = on_a_route(&[
        ("forbid without a reason", "forbid: [ { at: body./a } ]"),
        ("forbid nowhere", "forbid: [ { reason: never } ]"),
        (
            "forbid nothing",
            "forbid: [ { at: body./a, values: [], reason: never } ]",
        ),
        (
            "forbid a number",
            "forbid: [ { at: body./a, values: [1], reason: never } ]",
        ),
        (
            "only without values",
            "only: [ { at: query.a, reason: x } ]",
        ),
        ("set without a value", "set: [ { at: query.a } ]"),
        ("set the path", "set: [ { at: path.id, value: x } ]"),
        (
            "set several",
            "set: [ { at: body./a/*, value: x }, { at: query.a/*, value: x } ]",
        ),
        (
            "set a list in the query",
            "set: [ { at: query.a, value: [x] } ]",
        ),
        (
            "set an unknown field",
            "set: [ { at: query.a, value: '{project.nam}' } ]",
        ),
        (
            "set headers that are not to be set",
            "set: [ { at: header.X_Forwarded_User, value: x }, { at: header.Connection, value: x }, \
             { at: header.Content-Length, value: x }, { at: header.X-HTTP-Method-Override, value: x } ]",
        ),
        (
            "set what is forwarded",
            "forward_headers: [x_a]\n  set: [ { at: header.X-A, value: x } ]",
        ),
        (
            "set what was read",
            "resource: { type: run, id: [body./run/id, query.run] }\n  \
             set: [ { at: body./run, value: {} }, { at: query.run, value: x }, { at: body./run/id/x, value: y } ]",
        ),
        (
            "set what was read, folded",
            "resource: { type: run, id: body./run_id }\n  body: { keys: folded }\n  \
             set: [ { at: body./runId, value: x } ]",
        ),
        (
            "append to a list that was read",
            "references: [ { type: run, id: body./runs/*/id } ]\n  set: [ { at: body./runs/-, value: {} } ]",
        ),
        (
            "body",
            "body: { types: [json, 'text/plain; x'], max: 65MiB, keys: any, format: xml }",
        ),
        (
            "gRPC",
            "body: { format: grpc }\n  resource: { type: run, id: [body./run_id, body./0, body./1/*/*] }\n  \
             set: [ { at: body./3, value: x } ]",
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn answers() {
    let shown = on_a_route(&[
        ("creates nothing", "creates: {}"),
        ("place of an answer", "creates: { type: run, id: body./id }"),
        (
            "labels",
            "creates: { type: run, id: response.body./id, labels: { Env: body./e, env: response.header.x } }",
        ),
        (
            "what nobody records",
            "creates: [ { type: workspace, id: response.body./id }, { type: version, id: response.body./id } ]",
        ),
        ("deletes what", "deletes: true"),
        (
            "deletes perhaps",
            "deletes: true\n  resource: { type: run, id: query.a, optional: true }",
        ),
        (
            "deletes what the backend keeps",
            "deletes: true\n  resource: { type: workspace, id: query.a }",
        ),
        ("filter", "filter: { items: /a, type: run, id: id }"),
        (
            "filters what the backend keeps",
            "filter: { items: response.body./a, type: workspace, id: /id }",
        ),
        (
            "pages of nothing",
            "pages: { size: query.n, default: 10, token: query.t, next: response.body./t }",
        ),
        (
            "pages of two lists",
            "filter: [ { items: response.body./a, type: run, id: /id }, { items: response.body./b, type: run, id: /id } ]\n  pages: { size: query.n, default: 10, token: query.t, next: response.body./t }",
        ),
        (
            "pages",
            "filter: { items: response.body./a, type: run, id: /id }\n  pages: { size: query.n, default: 0 }",
        ),
        (
            "pages with a largest that is too small",
            "filter: { items: response.body./a, type: run, id: /id }\n  pages: { size: query.n, default: 10, most: 5, token: query.t, next: response.body./t }",
        ),
        (
            "permission elsewhere",
            "scope: tenant\n  creates: { type: run, id: response.body./id }",
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn contradictions() {
    const ALL: &str = "  references: [ { type: run, id: path.id } ]
  forbid: [ { at: query.a, reason: x } ]
  only: [ { at: query.a, values: [x], reason: x } ]
  set: [ { at: query.b, value: x } ]
  creates: { type: run, id: response.body./id }
  deletes: true
  resource: { type: run, id: path.id }
  filter: { items: response.body./a, type: run, id: /id }
  pages: { size: query.n, default: 10, token: query.t, next: response.body./t }
  body: { max: 1KiB }";
    let route = |method: &str, more: &str| format!("- route: {method} /a/{{id}}\n  {more}\n{ALL}");
    let cases = [
        ("nothing passes", route("POST", "deny: never")),
        (
            "answered here",
            route(
                "POST",
                "upstream: m\n  permission: runs:read\n  respond: { body: {} }",
            ),
        ),
        (
            "WebSocket and GET",
            route(
                "GET",
                "upstream: m\n  permission: runs:read\n  websocket: true",
            ),
        ),
        ("public", route("POST", "upstream: m\n  public: for a test")),
        (
            "authenticated",
            route("POST", "upstream: m\n  authenticated: true"),
        ),
        (
            "HEAD",
            route("HEAD|POST", "upstream: m\n  permission: runs:read"),
        ),
        (
            "a body where there is none",
            "- route: GET /a\n  upstream: m\n  permission: runs:read\n  resource: { type: run, id: body./id }"
                .to_owned(),
        ),
        (
            "objects of no backend",
            "- route: GET /a\n  permission: runs:read\n  resource: { type: run, id: query.id }\n  respond: { body: {} }"
                .to_owned(),
        ),
    ];
    let cases: Vec<_> = cases.iter().map(|(name, text)| (*name, &**text)).collect();
    insta::assert_snapshot!(with_head(&format!("{HEAD}routes:\n"), &cases));
}

#[test]
fn names() {
    let of_types = with_head(
        &format!("{HEAD}resources:\n"),
        &[
            (
                "not one project's",
                "- { type: a, upstream: m, names: \"{tenant.slug}.\" }",
            ),
            (
                "no end of a slug",
                "- { type: a, upstream: m, names: \"{tenant.slug}-{project.slug}.\" }",
            ),
            (
                "what does not last",
                "- { type: a, upstream: m, names: \"{project.id}.{principal.name}.\" }",
            ),
            ("no field", "- { type: a, upstream: m, names: \"{team}.\" }"),
            (
                "a sign of patterns",
                "- { type: a, upstream: m, names: \"x_{project.id}.\" }",
            ),
            (
                "the backend's",
                "- { type: a, upstream: m, owner: backend, names: \"{project.id}.\" }",
            ),
            ("ids of nothing", "- { type: a, upstream: m, id: name }"),
            (
                "another id",
                "- { type: a, upstream: m, id: number, names: shared }",
            ),
        ],
    );
    insta::assert_snapshot!("names_of_types", of_types);
    let head = format!(
        "{HEAD}resources:
- {{ type: named, upstream: m, id: name, names: \"{{project.id}}.\" }}
- {{ type: shared, upstream: m, names: shared }}
routes:
- route: POST /a/{{id}}
  upstream: m
"
    );
    let on_routes = with_head(
        &head,
        &[
            (
                "a type without names",
                "  permission: runs:update\n  names: [{ type: other, at: body./name }]",
            ),
            (
                "places that are not written",
                "  permission: runs:update\n  names: [{ type: named, at: path.id }, { type: named, at: header.X-A }, { type: named, at: query.a/* }]",
            ),
            (
                "ids that are names",
                "  permission: runs:update\n  resource: { type: named, id: path.id }",
            ),
            (
                "forms with names",
                "  permission: runs:update\n  references: [{ type: run, id: header.X-A, forms: [{ form: 'n:{id}', type: named }] }]",
            ),
            (
                "sought",
                "  permission: runs:update\n  names: [{ type: named, at: query.a, use: seek }, { type: named, at: query.b, use: seek }]",
            ),
            (
                "sought in a body",
                "  permission: runs:update\n  answers: { type: named, id: response.body./id }\n  names: [{ type: named, at: body./a, use: seek }]",
            ),
            (
                "a filter of nothing",
                "  permission: runs:update\n  names: [{ type: named, at: query.a, use: filter }]",
            ),
            (
                "nothing of a request",
                "  permission: runs:update\n  names: [{ type: named, at: response.body./a, use: make }, { type: named, at: body./a, forms: ['x/{id}'] }]",
            ),
            (
                "no project",
                "  authenticated: true\n  names: [{ type: named, at: body./a }]",
            ),
            (
                "public",
                "  public: for a test\n  names: [{ type: named, at: body./a }]",
            ),
            (
                "denied",
                "  deny: never\n  names: [{ type: named, at: body./a }]",
            ),
            (
                "written twice",
                "  permission: runs:update\n  names: [{ type: named, at: body./a }]\n  set: [{ at: body./a, value: x }]",
            ),
        ],
    );
    insta::assert_snapshot!("names_on_routes", on_routes);
}

#[test]
fn conditions() {
    insta::assert_snapshot!(on_a_route(&[
        ("not closed", "when: 'resource.environment == \"dev'"),
        ("half of one", "when: 'resource.environment =='"),
        ("no text", "when: [a]"),
        ("nothing", "when: ''"),
        (
            "unknown variable",
            "when: 'resources.environment == \"dev\"'"
        ),
        ("unknown field", "when: 'resource.colour == \"red\"'"),
        ("unknown function", "when: 'matches(resource.id, \".*\")'"),
        ("a loop", "when: '[1, 2].all(i, i > 0)'"),
        (
            "on the second line",
            "when: |\n    resource.id != \"a\" &&\n    resource.none == \"b\""
        ),
    ]));
}

#[test]
fn a_condition_without_anybody_to_hold_it_against() {
    let head = format!("{HEAD}routes:\n");
    insta::assert_snapshot!(with_head(
        &head,
        &[
            (
                "public",
                "- { route: GET /a, upstream: m, public: for all, when: 'request.ip == \"::1\"' }"
            ),
            (
                "denied",
                "- { route: GET /a, upstream: m, deny: never, when: 'request.ip == \"::1\"' }"
            ),
            (
                "too long",
                &format!(
                    "- {{ route: GET /a, upstream: m, authenticated: true, when: '{}' }}",
                    "true && ".repeat(130) + "true"
                )
            ),
        ]
    ));
}
