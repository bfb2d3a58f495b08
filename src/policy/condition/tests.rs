use std::collections::BTreeMap;

use chrono::DateTime;
use http::{HeaderMap, HeaderValue, Method, header};
use proptest::prelude::*;
use uuid::Uuid;

use super::super::{
    Asked, Authentication, CanonicalRequest, Circumstances, PathRef, Question, RawRequest,
    RoleTable, RouteMap,
};
use super::*;
use crate::domain::{
    Principal, PrincipalId, PrincipalKind, Project, ProjectId, Slug, Tenant, TenantId,
};

/// Evaluates as ann in acme/fraud, on the model m-1 in production.
fn holds(text: &str, target: &str, user_agent: &str) -> Result<bool, Unclear> {
    let labels = [("environment", "production"), ("team", "risk")];
    let labels: BTreeMap<_, _> = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let thing = Thing::Known {
        kind: "model",
        id: "m-1",
        labels: &labels,
    };
    on(
        thing,
        &Condition::compile(text).unwrap(),
        target,
        user_agent,
    )
}

fn on(thing: Thing<'_>, condition: &Condition, target: &str, agent: &str) -> Result<bool, Unclear> {
    let slug = |text: &str| text.parse::<Slug>().unwrap();
    let tenant = Tenant {
        id: TenantId(Uuid::from_u128(1)),
        slug: slug("acme"),
        name: "Acme".into(),
        session_rules: None,
        key_rules: None,
    };
    let ann = Principal {
        id: PrincipalId(Uuid::from_u128(3)),
        kind: PrincipalKind::User,
        email: Some("ann@example.com".into()),
        name: "Ann".into(),
        tenant: None,
        disabled: false,
    };
    let project = Project {
        id: ProjectId(Uuid::from_u128(2)),
        tenant: tenant.id,
        slug: slug("fraud"),
        name: "Fraud".into(),
        owner: ann.id,
        session_rules: None,
    };
    let headers = HeaderMap::from_iter([
        (header::HOST, HeaderValue::from_static("gw")),
        (header::USER_AGENT, agent.parse().unwrap()),
    ]);
    let request = CanonicalRequest::parse(&RawRequest {
        method: &Method::GET,
        target: target.as_bytes(),
        authority: None,
        headers: &headers,
    })
    .unwrap();
    let segments = request.path().segments();
    let path = PathRef {
        segments: &segments,
        trailing_slash: false,
    };
    let route = super::super::route_map::tests::route("GET /models/{model}");
    let map = RouteMap::compile(vec![route]).unwrap();
    let question = Question {
        request: &request,
        path,
        headers: &headers,
        lookup: map.find(&Method::GET, "gw", &path),
        authentication: &Authentication::NotPresented,
        table: &RoleTable::default(),
        circumstances: Circumstances {
            ip: Some([192, 0, 2, 1].into()),
            // A Wednesday, 15:30 UTC.
            at: DateTime::from_timestamp(1_767_800_000 - 46_400 + 25_800, 0).unwrap(),
            scheme: "https",
        },
        objects: None,
    };
    let asked = Asked::now(&question);
    let scene = Scene {
        principal: &ann,
        tenant: Some(&tenant),
        project: Some(&project),
        thing,
        request: &asked,
    };
    condition.holds(&scene)
}

#[test]
fn every_field_has_its_value() {
    for text in [
        r#"principal.id == "00000000-0000-0000-0000-000000000003""#,
        r#"principal.type == "user" && principal.email == "ann@example.com""#,
        r#"principal.name == "Ann" && principal.tenant == """#,
        r#"tenant.slug == "acme" && tenant.id.endsWith("1")"#,
        r#"project.slug == "fraud" && project.id.endsWith("2")"#,
        r#"resource.type == "model" && resource.id == "m-1""#,
        r#"resource.environment == "production""#,
        r#"resource.labels.team == "risk" && resource.labels["team"] == "risk""#,
        "has(resource.labels.team) && !has(resource.labels.other)",
        r#""team" in resource.labels && resource.labels.size() == 2"#,
        r#"request.method == "GET" && request.path == "/models/x" && request.host == "gw""#,
        r#"request.ip.startsWith("192.0.2.")"#,
        r#"request.time > timestamp("2026-01-01T00:00:00Z")"#,
        r#"request.time - duration("1h") < request.time"#,
        r#"request.time.getHours("Europe/Berlin") - request.time.getHours("UTC") in [1, -23]"#,
        "request.time.getDayOfWeek() in [0, 1, 2, 3, 4, 5, 6]",
        r#"request.params.model == "x""#,
        r#"request.query.a == "1" && !has(request.query.b)"#,
        r#"session.acr == "" && session.amr == """#,
        r#"request.user_agent.contains("curl") ? true : false"#,
    ] {
        assert_eq!(holds(text, "/models/x?a=1", "curl/8"), Ok(true), "{text}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_not_clear() {
    let long = "x".repeat(5000);
    for (text, target, agent) in [
        ("resource.labels.none == \"x\"", "/models/x", "a"),
        ("request.query.none == \"x\"", "/models/x", "a"),
        ("!has(request.query.b)", "/models/x?a=1&a=2", "a"),
        ("request.query.a == \"1\"", "/models/x?a=1&a=1", "a"),
        ("request.user_agent == \"x\"", "/models/x", long.as_str()),
        ("size(request.user_agent) > 0", "/models/x", long.as_str()),
        ("resource.id", "/models/x", "a"),
        ("1", "/models/x", "a"),
        ("resource.id > 1", "/models/x", "a"),
        ("int(resource.id) > 1", "/models/x", "a"),
        ("request.time.getHours(\"No/Where\") > 1", "/models/x", "a"),
        ("duration(\"1e999h\") > duration(\"1s\")", "/models/x", "a"),
        (
            "timestamp(\"9999-12-31T23:59:59Z\") + duration(\"9000000h\") > request.time",
            "/models/x",
            "a",
        ),
    ] {
        assert_eq!(holds(text, target, agent), Err(Unclear), "{text}");
    }
    assert_eq!(
        holds("resource.labels.none == \"x\" || true", "/models/x", "a"),
        Ok(true)
    );
}

#[test]
fn without_an_object_there_are_empty_texts_and_one_not_told_is_not_clear() {
    let condition = Condition::compile(r#"resource.environment != "production""#).unwrap();
    assert_eq!(on(Thing::Nothing, &condition, "/models/x", "a"), Ok(true));
    assert_eq!(
        on(Thing::Unclear, &condition, "/models/x", "a"),
        Err(Unclear)
    );
    let other = Condition::compile(r#"project.slug == "fraud""#).unwrap();
    assert_eq!(on(Thing::Unclear, &other, "/models/x", "a"), Ok(true));
    let broken = Condition::broken("true");
    assert_eq!(on(Thing::Nothing, &broken, "/models/x", "a"), Err(Unclear));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let mistakes = [
        "",
        "resource.environment ==",
        "resource.environment = \"x\"",
        "resorce.environment == \"x\"",
        "true &&\n  resource.envronment == \"x\"",
        "resource == 1",
        "foo",
        "principal.email.matches(\".*\")",
        "[1, 2].all(x, x > 0)",
        "resource.labels.exists(k, k == \"a\")",
        "request.path.lowerAscii() == \"x\"",
        "{1: 2}[1] == 2",
        "Thing{a: 1} == 2",
        "dyn(1) == 1",
        "resource.id.length == 1",
        "\"a\" + \"a\" + \"a\" + \"a\" + \"a\" + \"a\" + \"a\" + \"a\" + \"a\" + \"a\" == \"\"",
        "request[\"path\"] == \"x\"",
        "'é' == 'e' && nope",
    ];
    let told: Vec<_> = mistakes
        .iter()
        .map(|text| {
            let error = Condition::compile(text).unwrap_err();
            format!(
                "{text:?}\n    {}:{} {}",
                error.line, error.column, error.message
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_deep_or_long_is_refused() {
    for text in [
        "(".repeat(400) + "true" + &")".repeat(400),
        "[".repeat(400) + &"]".repeat(400),
        "true ? ".repeat(100) + "true" + &": true".repeat(100),
        "resource.labels".to_owned() + &".a".repeat(400),
        "1".to_owned() + &"-1".repeat(400) + " == 1",
        "x".repeat(MAX_CONDITION + 1),
        "\"".to_owned() + &"\\".repeat(900),
        "a(".repeat(450),
        "a[".repeat(450),
        "a.b(".repeat(240),
    ] {
        assert!(Condition::compile(&text).is_err(), "{text}");
    }
    let wide = vec!["true"; 120].join(" && ");
    assert_eq!(holds(&wide, "/models/x", "a"), Ok(true));
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "resource",
        "request",
        "principal",
        ".",
        "id",
        "labels",
        "environment",
        "path",
        "query",
        "time",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "?",
        ":",
        "&&",
        "||",
        "!",
        "==",
        "!=",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "in",
        "has",
        "size",
        "contains",
        "startsWith",
        "timestamp",
        "duration",
        "int",
        "getHours",
        "\"a\"",
        "\"production\"",
        "'9999h'",
        "1",
        "-1",
        "0x7f",
        "9223372036854775807",
        "1.5e308",
        "1u",
        "true",
        "false",
        "null",
        "b'x'",
        "r\"x\"",
        " ",
        "\n",
        "\"\"\"",
        "\\",
        "`",
        "é",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_harms(text in prop_oneof![words(), ".{0,80}"], agent in "[ -~]{0,40}") {
        let thing = Thing::Nothing;
        if let Ok(condition) = Condition::compile(&text) {
            let _ = on(thing, &condition, "/models/x?a=1", &agent);
        }
    }
}
