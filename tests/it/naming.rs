//! What a request names, holds and is given, by the YAML of its route.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::DateTime;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use portcullis::config::Settings;
use portcullis::domain::PolicyRows;
use portcullis::policy::{
    Authentication, Body, CanonicalRequest, Circumstances, Denial, Field, Lookup, PathRef,
    Question, RawRequest, RoleTable, check_content, named, write_set,
};

/// A request of these tests, and what becomes of it.
struct Asked {
    settings: Settings,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

/// What is sent to the backend.
#[derive(Debug, PartialEq)]
struct Sent {
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// `POST /a/{id}` with these keys.
fn route(keys: &str) -> Asked {
    let text = format!(
        "version: 1
upstreams: {{ m: {{ url: 'http://h' }} }}
resources:
  - {{ type: workspace, upstream: m, owner: backend }}
routes:
- route: POST|GET /a/{{id}}
  upstream: m
  permission: runs:update
  {keys}
"
    );
    // A body is read of POST alone.
    let text = if keys.contains("body") {
        text.replace("POST|GET", "POST")
    } else {
        text
    };
    let settings = Settings::parse("p.yaml", &text, &|_| None);
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("h"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    Asked {
        settings: settings.unwrap_or_else(|mistakes| panic!("{mistakes:#?}")),
        target: "/a/7".to_owned(),
        headers,
        body: Bytes::new(),
    }
}

impl Asked {
    fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        let name = HeaderName::from_static(name);
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }

    fn body(mut self, body: &str) -> Self {
        self.body = Bytes::copy_from_slice(body.as_bytes());
        self
    }

    fn bytes(mut self, body: &[u8]) -> Self {
        self.body = Bytes::copy_from_slice(body);
        self
    }

    fn ask<T>(
        &self,
        then: impl FnOnce(&Question<'_>, Option<&mut Body>) -> Result<T, Denial>,
    ) -> Result<T, Denial> {
        let request = CanonicalRequest::parse(&RawRequest {
            method: &Method::POST,
            target: self.target.as_bytes(),
            authority: None,
            headers: &self.headers,
        })
        .unwrap();
        let segments = request.path().segments();
        let path = PathRef {
            segments: &segments,
            trailing_slash: false,
        };
        let routes = &self.settings.routes;
        let lookup = routes.find(request.method(), "h", &path);
        let Lookup::Found { route, .. } = &lookup else {
            panic!("{lookup:?}");
        };
        let rule = route.objects.body.as_ref();
        let mut body = rule
            .map(|rule| Body::read(rule, &self.headers, self.body.clone()))
            .transpose()?;
        let catalogue = &self.settings.catalogue;
        let question = Question {
            request: &request,
            path,
            headers: &self.headers,
            lookup,
            authentication: &Authentication::NotPresented,
            table: &RoleTable::build(PolicyRows::default(), catalogue).0,
            circumstances: Circumstances {
                scheme: "https",
                ip: None,
                at: DateTime::UNIX_EPOCH,
            },
            objects: None,
        };
        then(&question, body.as_mut())
    }

    /// `type id` of all that is checked, or why it is refused.
    fn names(&self) -> Result<Vec<String>, &'static str> {
        let names = self.ask(|question, body| Ok(named(question, body.as_deref())?));
        let names = names.map_err(|denial| denial.code())?;
        let objects = names.checked.iter().map(|checked| &checked.reference);
        Ok(objects.map(|it| format!("{} {}", it.kind, it.id)).collect())
    }

    fn label(&self) -> Option<String> {
        let names = self.ask(|question, body| Ok(named(question, body.as_deref())?));
        let label = names.unwrap().label;
        label.map(|it| format!("{} {}", it.kind, it.id))
    }

    /// Why it is refused for what it holds.
    fn refused(&self) -> Option<String> {
        let checked = self.ask(|question, body| check_content(question, body.as_deref()));
        checked.err().map(|denial| denial.message())
    }

    fn sent(&self) -> Result<Sent, &'static str> {
        self.write().map_err(|denial| denial.code())
    }

    fn write(&self) -> Result<Sent, Denial> {
        let mut request = CanonicalRequest::parse(&RawRequest {
            method: &Method::POST,
            target: self.target.as_bytes(),
            authority: None,
            headers: &self.headers,
        })
        .unwrap();
        self.ask(|question, mut body| {
            let Lookup::Found { route, .. } = &question.lookup else {
                unreachable!();
            };
            let headers = write_set(&route.objects, &mut request, body.as_deref_mut(), &field)?;
            let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
            let headers = headers.iter();
            let body = body.map(|body| body.forwarded()).unwrap_or_default();
            Ok(Sent {
                target: request.target(),
                headers: headers
                    .map(|(name, value)| (name.to_string(), shown(value)))
                    .collect(),
                body: String::from_utf8_lossy(&body).into(),
            })
        })
    }
}

/// A service account's: it has no address.
fn field(field: Field) -> Option<Cow<'static, str>> {
    match field {
        Field::PrincipalEmail => None,
        Field::ProjectSlug => Some("fraud".into()),
        other => Some(other.as_str().into()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with one")]
fn ok<const N: usize>(names: [&str; N]) -> Result<Vec<String>, &'static str> {
    Ok(names.map(str::to_owned).to_vec())
}

#[test]
fn ids_come_from_every_part_of_a_request() {
    let keys = "resource: { type: thing, id: path.id }
  references:
  - { type: run, id: query.run }
  - { type: model, id: header.x-model }
  - { type: data, id: body./data/0/id }
  - { type: data, id: body./number }";
    let asked = route(keys).header("x-model", "m 1");
    let asked = asked.target("/a/7?run=r%2F1");
    let asked = asked.body(r#"{"data":[{"id":"d"}],"number":12}"#);
    let all = ["thing 7", "run r/1", "model m 1", "data d", "data 12"];
    assert_eq!(asked.names(), ok(all));
}

#[test]
fn a_place_that_must_name_something_does() {
    let required = |body: &str| {
        let keys = "references: [ { type: run, id: body./run_id } ]";
        route(keys).body(body).names()
    };
    assert_eq!(required(r#"{"run_id":"a"}"#), ok(["run a"]));
    for body in ["", "null", "{}", r#"{"run_id":null}"#, r#"{"run_id":""}"#] {
        assert_eq!(required(body), Err("resource_required"), "{body}");
    }
    for body in [
        r#"{"run_id":1.0}"#,
        r#"{"run_id":1e2}"#,
        r#"{"run_id":-0}"#,
        r#"{"run_id":true}"#,
        r#"{"run_id":["a"]}"#,
        r#"{"run_id":{"a":1}}"#,
        "[]",
    ] {
        assert_eq!(required(body), Err("body_shape"), "{body}");
    }
    let optional = route("references: [ { type: run, id: query.run, optional: true } ]");
    assert_eq!(optional.names(), ok([]));
    assert_eq!(optional.target("/a/7?run=").names(), ok([]));
}

#[test]
fn places_that_name_the_same_thing_agree() {
    let named = |query: &str, body: &str| {
        let keys = "resource: { type: run, id: [body./run_id, body./run_uuid, query.run_id] }";
        route(keys).target(query).body(body).names()
    };
    assert_eq!(named("/a/7", r#"{"run_uuid":"a"}"#), ok(["run a"]));
    let all = named("/a/7?run_id=a", r#"{"run_uuid":"a","run_id":"a"}"#);
    assert_eq!(all, ok(["run a"]));
    for (query, body) in [
        ("/a/7", r#"{"run_uuid":"a","run_id":"b"}"#),
        ("/a/7?run_id=b", r#"{"run_id":"a"}"#),
    ] {
        assert_eq!(named(query, body), Err("resource_conflict"), "{body}");
    }
}

#[test]
fn every_id_of_a_list_counts() {
    let keys = "references:
  - { type: run, id: [body./runs/*, query.run/*], optional: true }
  - { type: model, id: body./metrics/*/model, optional: true }";
    let named = |query: &str, body: &str| route(keys).target(query).body(body).names();
    let body =
        r#"{"runs":["a","b","a"],"metrics":[{"model":"m"},{},{"model":null},{"model":"n"}]}"#;
    let all = ["run a", "run b", "model m", "model n"];
    assert_eq!(named("/a/7", body), ok(all));
    assert_eq!(named("/a/7?run=x&run=y", "{}"), ok(["run x", "run y"]));
    let both = named("/a/7?run=b&run=a", r#"{"runs":["a","b"]}"#);
    assert_eq!(both, ok(["run a", "run b"]));
    let fewer = named("/a/7?run=b", r#"{"runs":["a","b"]}"#);
    assert_eq!(fewer, Err("resource_conflict"));
    assert_eq!(named("/a/7", r#"{"runs":"a"}"#), Err("body_shape"));
    assert_eq!(named("/a/7", r#"{"runs":["a",7.5]}"#), Err("body_shape"));
    let required = route("resource: { type: run, id: body./runs/* }");
    let gap = required.body(r#"{"runs":["a",null]}"#);
    assert_eq!(gap.names(), Err("resource_required"));
    let none = gap.body(r#"{"runs":[]}"#);
    assert_eq!(none.names(), Err("resource_required"));
}

#[test]
fn the_number_of_ids_is_bounded() {
    let named = |count: usize| {
        let ids: Vec<_> = (0..count).map(|id| format!("\"{id}\"")).collect();
        let body = format!("{{\"runs\":[{}]}}", ids.join(","));
        let keys = "resource: { type: run, id: body./runs/* }";
        route(keys).body(&body).names()
    };
    assert_eq!(named(1000).unwrap().len(), 1000);
    assert_eq!(named(1001), Err("too_many_resources"));
}

#[test]
fn a_parameter_that_is_no_list_is_sent_once() {
    let asked = route("resource: { type: run, id: query.run_id }");
    let asked = asked.target("/a/7?run_id=a&run_id=a");
    assert_eq!(asked.names(), Err("repeated_parameter"));
}

#[test]
fn folded_names_are_one_in_body_and_query() {
    let keys =
        "resource: { type: run, id: [body./run_id, query.run_id] }\n  body: { keys: folded }";
    let named = |query: &str, body: &str| route(keys).target(query).body(body).names();
    assert_eq!(named("/a/7", r#"{"runId":"a"}"#), ok(["run a"]));
    assert_eq!(named("/a/7?runId=a", r#"{"RUN_ID":"a"}"#), ok(["run a"]));
    let other = named("/a/7?runId=b", r#"{"run_id":"a"}"#);
    assert_eq!(other, Err("resource_conflict"));
    let twice = named("/a/7?runId=a&run_id=a", "{}");
    assert_eq!(twice, Err("repeated_parameter"));
    let doubled = named("/a/7", r#"{"run_id":"a","runId":"a"}"#);
    assert_eq!(doubled, Err("duplicate_key"));
}

#[test]
fn ids_in_texts_are_found_by_their_form() {
    let keys = "references:
  - id: body./source
    optional: true
    forms:
    - { form: 'runs:/{id}/*', type: run }
    - { form: 'models:/{id}@latest', type: model }
    - { form: 'models:/{id}', type: version }
    - { form: 'workspace/{id}', type: workspace }";
    let named = |source: &str| {
        let body = format!("{{\"source\":\"{source}\"}}");
        route(keys).body(&body).names()
    };
    assert_eq!(named("runs:/r1/model/x"), ok(["run r1"]));
    assert_eq!(named("models:/m@latest"), ok(["model m"]));
    assert_eq!(named("models:/m/3"), ok(["version m/3"]));
    assert_eq!(named("workspace/w"), ok([]));
    assert_eq!(named(""), ok([]));
    for unknown in ["runs:/r1", "runs://x", "file:/etc", "r1", "Runs:/r1/x"] {
        assert_eq!(named(unknown), Err("resource_form"), "{unknown}");
    }
    assert_eq!(named("models:/ m"), Err("malformed_resource_id"));
}

#[test]
fn odd_spellings_of_an_id_are_refused() {
    for id in ["07", "%207", "7%20", "a%09b", "%2B7"] {
        let asked = route("resource: { type: thing, id: query.id }");
        let named = asked.target(&format!("/a/7?id={id}")).names();
        assert_eq!(named, Err("malformed_resource_id"), "{id}");
    }
}

#[test]
fn what_the_backend_keeps_is_a_label() {
    let asked = route("resource: { type: workspace, id: query.w }");
    assert_eq!(asked.label(), None);
    let asked = asked.target("/a/7?w=%2007");
    assert_eq!(asked.names(), ok([]));
    assert_eq!(asked.label().unwrap(), "workspace  07");
    let asked = asked.target("/a/7?w=1&w=1");
    assert_eq!(asked.names(), Err("repeated_parameter"));
}

#[test]
fn what_is_forbidden_is_refused_with_its_reason() {
    let keys = "forbid:
  - { at: body./tags/*/key, values: [owner], prefixes: [sys., 'file:'], reason: no such tag }
  - { at: query.force, reason: never by force }";
    let refused = |query: &str, body: &str| route(keys).target(query).body(body).refused();
    let tag = |key: &str| {
        refused(
            "/a/7",
            &format!("{{\"tags\":[{{}},{{\"key\":\"{key}\"}}]}}"),
        )
    };
    assert_eq!(refused("/a/7", "{}"), None);
    assert_eq!(refused("/a/7?force=", ""), None);
    for key in ["owners", "Owner", "a.sys.", "my"] {
        assert_eq!(tag(key), None, "{key}");
    }
    for key in [
        "owner",
        "sys.a",
        "SYS.a",
        "FILE:/etc",
        " file:/x",
        "f\\nile:x",
        "\\u0001file:",
    ] {
        let message = tag(key).unwrap_or_default();
        assert_eq!(message, "This may not be sent: no such tag.", "{key}");
    }
    for query in ["/a/7?force=0", "/a/7?force=true"] {
        let message = refused(query, "").unwrap_or_default();
        assert_eq!(message, "This may not be sent: never by force.");
    }
}

#[test]
fn only_what_is_listed_passes() {
    let keys = "only: [ { at: body./query, values: ['query A { a }', B], reason: unknown } ]";
    let refused = |query: &str| {
        let body = format!("{{\"query\":{query}}}");
        route(keys).body(&body).refused().is_some()
    };
    for listed in [r#""query A { a }""#, r#""\nquery A {\n  a\n}\n""#, r#""B""#] {
        assert!(!refused(listed), "{listed}");
    }
    for other in [
        r#""query A { b }""#,
        r#""b""#,
        r#""""#,
        "null",
        "[\"B\"]",
        r#""BB""#,
    ] {
        assert!(refused(other), "{other}");
    }
    assert!(route(keys).body("{}").refused().is_some());
}

#[test]
fn what_is_set_takes_the_place_of_what_was_sent() {
    let keys = "set:
  - { at: query.project, value: '{project.slug}' }
  - { at: query.limit, value: 10 }
  - { at: header.x-scope, value: 'p={project.slug}' }
  - { at: body./tags/-, value: { key: project, value: '{project.slug}' } }
  body: { keys: folded }";
    let asked = route(keys).target("/a/7?Project=other&x=1&project=y");
    let sent = asked.body(r#"{"n":1e400,"tags":[{"key":"a"}]}"#).sent();
    let expected = Sent {
        target: "/a/7?x=1&project=fraud&limit=10".to_owned(),
        headers: vec![("x-scope".to_owned(), "p=fraud".to_owned())],
        body: r#"{"n":1e400,"tags":[{"key":"a"},{"key":"project","value":"fraud"}]}"#.to_owned(),
    };
    assert_eq!(sent, Ok(expected));
    let wrong = route(keys).body(r#"{"tags":"all"}"#).sent();
    assert_eq!(wrong, Err("body_shape"));
}

#[test]
fn a_field_that_is_not_known_keeps_the_request_back() {
    let keys = "set: [ { at: query.user, value: '{principal.email}' } ]";
    assert_eq!(route(keys).sent(), Err("field_missing"));
}

#[test]
fn grpc_messages_are_read_and_pass_unchanged() {
    let keys = "resource: { type: model, id: body./1 }\n  body: { format: grpc }";
    let asked = |message: &[u8]| {
        let mut asked = route(keys).bytes(message);
        let kind = HeaderValue::from_static("application/grpc");
        asked.headers.insert("content-type", kind);
        asked
    };
    let message = b"\0\0\0\0\x06\x0a\x04abcd";
    assert_eq!(asked(message).names(), ok(["model abcd"]));
    assert_eq!(asked(message).sent().unwrap().body.as_bytes(), message);
    assert_eq!(asked(b"\0\0\0\0\0").names(), Err("resource_required"));
    let twice = asked(b"\0\0\0\0\x06\x0a\x01a\x0a\x01b");
    assert_eq!(twice.names(), Err("duplicate_key"));
    assert_eq!(asked(b"\x01\0\0\0\0").names(), Err("malformed_body"));
}

#[test]
fn bodies_of_other_types_and_sizes_are_refused() {
    let keys = "resource: { type: run, id: body./id }\n  body: { max: 12B }";
    let asked = || route(keys).body(r#"{"id":"a"}"#);
    assert_eq!(asked().names(), ok(["run a"]));
    assert_eq!(
        asked().body(r#"{"id":"abcde"}"#).names(),
        Err("body_too_large")
    );
    let packed = asked().header("content-encoding", "gzip");
    assert_eq!(packed.names(), Err("body_type"));
    let mut other = asked();
    let kind = HeaderValue::from_static("text/plain");
    other.headers.insert("content-type", kind);
    assert_eq!(other.names(), Err("body_type"));
}
