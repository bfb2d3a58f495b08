use super::*;

fn parse(text: &str) -> Description {
    let text = format!("openapi: 3.1.0\n{text}");
    Description::parse("api.yaml", &text, None).unwrap()
}

fn paths(text: &str) -> Vec<String> {
    let operations = parse(text).operations.into_iter();
    let shown = operations.map(|operation| operation.template.to_string());
    shown.collect()
}

#[test]
fn paths_begin_where_their_server_says() {
    let paths_of = |servers: &str| paths(&format!("{servers}\npaths: {{ /a: {{ get: {{}} }} }}"));
    for (servers, path) in [
        ("", "/a"),
        ("servers: []", "/a"),
        ("servers: [ { url: / } ]", "/a"),
        ("servers: [ { url: 'https://host' } ]", "/a"),
        ("servers: [ { url: 'https://host/api/v1/' } ]", "/api/v1/a"),
        ("servers: [ { url: api } ]", "/api/a"),
        (
            "servers: [ { url: '/{v}', variables: { v: { default: v2 } } } ]",
            "/v2/a",
        ),
        (
            "servers: [ { url: '{v}', variables: { v: { default: 'http://h/x' } } } ]",
            "/x/a",
        ),
        ("servers: [ { url: 'http://h/x?y#z' } ]", "/x/a"),
    ] {
        assert_eq!(paths_of(servers), [path], "{servers}");
    }
    let own = "servers: [ { url: /doc } ]\npaths:\n  /a: { get: {} }\n  \
               /b: { servers: [ { url: /path } ], get: {}, post: { servers: [ { url: /op } ] } }\n";
    assert_eq!(paths(own), ["/doc/a", "/path/b", "/op/b"]);
}

#[test]
fn values_of_all_spellings() {
    let value = |path: &str| match Template::parse(path, |_| false).segments() {
        [parts] => parts.last().cloned(),
        more => panic!("{more:?}"),
    };
    for (path, name, slashes, optional) in [
        ("/{id}", "id", false, false),
        ("/v{id}", "id", false, false),
        ("/{id?}", "id", false, true),
        ("/{path:path}", "path", true, false),
        ("/{id:[0-9]+}", "id", false, false),
        ("/{id:[^/]+}", "id", true, false),
        ("/{path:.*}", "path", true, false),
        ("/{+path}", "path", true, false),
        ("/{path*}", "path", true, false),
        ("/{path...}", "path", true, false),
        ("/{name=shelves/*}", "name", true, false),
    ] {
        let name = name.to_owned();
        let expected = Part::Value {
            name,
            slashes,
            optional,
        };
        assert_eq!(value(path), Some(expected), "{path}");
    }
    assert_eq!(value("/a{b"), Some(Part::Text("a{b".to_owned())));
    assert_eq!(value("/"), None);
}

#[test]
fn a_parameter_that_may_hold_slashes_is_known_by_its_schema() {
    for (schema, slashes) in [
        ("{ type: string }", false),
        ("{ type: string, format: path }", true),
        ("{ pattern: '^[^/]+$' }", false),
        ("{ pattern: '^.+/.+$' }", true),
        ("{ $ref: '#/components/schemas/P' }", true),
    ] {
        let text = format!(
            "paths: {{ '/a/{{p}}': {{ get: {{ parameters: [ {{ in: path, name: p, schema: {schema} }} ] }} }} }}\n\
             components: {{ schemas: {{ P: {{ format: path }} }} }}"
        );
        let description = parse(&text);
        let last = description.operations[0].template.parts().last().cloned();
        let found = matches!(last, Some(Part::Value { slashes: true, .. }));
        assert_eq!(found, slashes, "{schema}");
    }
}

#[test]
fn an_operation_is_open_if_nothing_is_asked_for() {
    let open = |document: &str, operation: &str| {
        let text = format!("{document}\npaths: {{ /a: {{ get: {operation} }} }}");
        parse(&text).operations[0].open
    };
    assert!(open("", "{}"));
    assert!(open("security: []", "{}"));
    assert!(open("security: [ { token: [] } ]", "{ security: [] }"));
    assert!(open("", "{ security: [ { token: [] }, {} ] }"));
    assert!(!open("security: [ { token: [] } ]", "{}"));
    assert!(!open("", "{ security: [ { token: [] } ] }"));
}

#[test]
fn what_is_elsewhere_is_told() {
    let text = "paths:
  /a: { $ref: 'b.yaml#/x' }
  /b: { $ref: '#/nowhere' }
  /c: { $ref: '#/paths/~1d' }
  /d: { get: {} }
  /e: { $ref: '#/paths/~1d', post: {} }
  /f: { $ref: [] }
";
    let description = parse(text);
    let unread: Vec<_> = description
        .unread
        .iter()
        .map(|it| it.diagnostic.to_string())
        .collect();
    insta::assert_snapshot!(unread.join("\n"), @r"
    api.yaml:3:3: `b.yaml#/x` is in another document, which is not read; put it into this one
    api.yaml:4:3: `#/nowhere` refers to nothing
    api.yaml:8:3: a `$ref` that is no text
    ");
    let operations = description.operations.iter();
    let read: Vec<_> = operations
        .map(|o| format!("{} {}", o.method, o.template))
        .collect();
    assert_eq!(read, ["GET /c", "GET /d", "GET /e", "POST /e"]);
}
