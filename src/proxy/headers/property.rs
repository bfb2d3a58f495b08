//! Whatever fields a client sends, the upstream request is the gateway's own.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::super::upstream::Upstreams;
use super::*;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{
    PolicyRows, Principal, PrincipalId, PrincipalKind, Project, ProjectId, Role, RoleId, RoleScope,
    Tenant, TenantId,
};
use crate::policy::{
    Authentication, Circumstances, CredentialLimits, Decision, OwnedHeaders, PathRef, Question,
    RawRequest, RoleTable, Subject, decide,
};
use crate::telemetry::Metrics;

const YAML: &str = r#"
version: 1
upstreams:
  app: { url: "http://127.0.0.1:1" }
identity:
  headers:
    X-MLFLOW-WORKSPACE: "{tenant.slug}--{project.slug}"
    X_Requested_With: "{project.slug}"
routes:
  - { route: GET /p, upstream: app, permission: runs:read, websocket: true, forward_headers: [X-Extra] }
  - { route: GET /a, upstream: app, authenticated: true }
  - { route: GET /o, upstream: app, public: "for a test" }
"#;

/// What every value of the client's begins with.
const MARK: &str = "client-";

/// RFC 9110 §7.6.1, and what proxies made of it.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const OWNED: [&str; 14] = [
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-portcullis-tenant",
    "x-portcullis-project",
    "x-portcullis-roles",
    "x-portcullis-assertion",
    "x-mlflow-workspace",
    "x-requested-with",
    "x-real-ip",
    "forwarded",
    "x-request-id",
];

const OTHERS: [&str; 12] = [
    "accept",
    "authorization",
    "content-type",
    "cookie",
    "host",
    "origin",
    "referer",
    "user-agent",
    "x-extra",
    "x-original-url",
    "x-portcullis-key",
    "sec-websocket-key",
];

fn name() -> impl Strategy<Value = String> {
    let known: Vec<&str> = [&OWNED[..], &HOP_BY_HOP, &OTHERS].concat();
    let spelling = (
        prop::sample::select(known),
        proptest::collection::vec(0..3_usize, 8),
    );
    let spelt = spelling.prop_map(|(name, picks)| {
        let mut picks = picks.into_iter().cycle();
        let spell = |c| match c {
            '-' => ['-', '_', '.'][picks.next().unwrap_or_default()],
            c => c,
        };
        name.chars().map(spell).collect()
    });
    prop_oneof![4 => spelt, 1 => "[a-z0-9_.!~-]{1,12}"]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "client-[a-z0-9]{0,6}",
        1 => Just("__Host-portcullis=client-key; a=client-1".to_owned()),
        1 => Just("portcullis-dev=client-key;b=client-2".to_owned()),
    ]
}

/// `Connection` lists names of ours, or asks for an upgrade.
fn fields() -> impl Strategy<Value = HeaderMap> {
    let field = prop_oneof![
        8 => (name(), value()),
        1 => Just(("connection".to_owned(), "x-portcullis-tenant, upgrade".to_owned())),
        1 => Just(("upgrade".to_owned(), "websocket".to_owned())),
    ];
    proptest::collection::vec(field, 0..24).prop_map(|fields| {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().expect("a token");
            map.append(name, value.parse().expect("visible text"));
        }
        map
    })
}

struct World {
    settings: Settings,
    table: RoleTable,
    subject: Subject,
}

impl World {
    fn new() -> Self {
        let settings = Settings::parse("test.yaml", YAML, &|_| None).expect("a configuration");
        let id = Uuid::from_u128;
        let (tenant, project) = (TenantId(id(1)), ProjectId(id(2)));
        let principal = Principal {
            id: PrincipalId(id(3)),
            kind: PrincipalKind::User,
            email: Some("ann@example.com".to_owned()),
            name: "Ann".to_owned(),
            tenant: None,
            disabled: false,
        };
        let rows = PolicyRows {
            version: 1,
            tenants: vec![Tenant {
                id: tenant,
                slug: "acme".parse().expect("a slug"),
                name: "Acme".to_owned(),
                session_rules: None,
                key_rules: None,
            }],
            projects: vec![Project {
                id: project,
                tenant,
                slug: "fraud".parse().expect("a slug"),
                name: "Fraud".to_owned(),
                owner: principal.id,
                session_rules: None,
            }],
            principals: vec![principal.clone()],
            roles: vec![Role {
                id: RoleId(id(4)),
                tenant: None,
                name: "owner".to_owned(),
                scope: RoleScope::Project,
                permissions: vec!["*:*".to_owned()],
            }],
            bindings: Vec::new(),
        };
        Self {
            table: RoleTable::build(rows, &settings.catalogue).0,
            subject: Subject {
                principal: principal.into(),
                credential: CredentialLimits::none().into(),
            },
            settings,
        }
    }

    /// The request for this path, and what was decided upon it.
    fn permit(&self, path: &str, authentication: &Authentication) -> (CanonicalRequest, Permit) {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("gw"))]);
        let request = CanonicalRequest::parse(&RawRequest {
            method: &Method::GET,
            target: path.as_bytes(),
            authority: None,
            headers: &headers,
        })
        .expect("a request");
        let segments = request.path().segments();
        let path = PathRef {
            segments: &segments,
            trailing_slash: false,
        };
        let decision = decide(&Question {
            request: &request,
            path,
            headers: &headers,
            lookup: self.settings.routes.find(&Method::GET, "gw", &path),
            authentication,
            table: &self.table,
            circumstances: Circumstances {
                ip: None,
                at: Clock::system().now(),
                scheme: "https",
            },
            objects: None,
        });
        drop(segments);
        match decision {
            Decision::Permitted(permit) => (request, permit),
            Decision::Denied(denial, _) => panic!("{denial:?}"),
        }
    }
}

#[tokio::test]
async fn no_field_of_a_client_becomes_one_of_ours() {
    let world = World::new();
    let metrics = Metrics::new();
    let settings = world.settings.upstreams.values();
    let upstreams = Upstreams::new(settings, None, &Clock::system(), &metrics.upstreams).await;
    let upstreams = upstreams.expect("an upstream");
    let upstream = upstreams.find("app").expect("the upstream");
    let known = Authentication::Authenticated(world.subject.clone());
    let owned = OwnedHeaders::new(upstream.identity.iter().map(|(name, _)| name.as_str()));
    let client = Client {
        ip: Some([192, 0, 2, 1].into()),
        scheme: "http",
        request_id: "id-1".to_owned(),
    };
    let asked = [
        (world.permit("/p", &known), Some("acme")),
        (world.permit("/a", &known), Some("acme")),
        (world.permit("/o", &Authentication::NotPresented), None),
    ];
    let quiet = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(quiet)
        .run(&fields(), |sent| {
            for ((request, permit), tenant) in &asked {
                let built = upstream_request(permit, request, &sent, &client, upstream)
                    .expect("an upstream request");
                check(&built.headers, &owned)?;
                let told = built.headers.get("x-portcullis-tenant");
                prop_assert_eq!(told.map(HeaderValue::as_bytes), tenant.map(str::as_bytes));
                prop_assert_eq!(built.headers.get_all(header::HOST).iter().count(), 1);
                prop_assert_eq!(&built.headers[header::HOST], "127.0.0.1:1");
            }
            Ok(())
        })
        .unwrap();
}

fn check(built: &HeaderMap, owned: &OwnedHeaders) -> Result<(), TestCaseError> {
    let websocket = [header::CONNECTION, header::UPGRADE];
    for (name, value) in built {
        let value = String::from_utf8_lossy(value.as_bytes());
        let of_client = value.contains(MARK);
        prop_assert!(!(of_client && owned.owns(name.as_str())), "{name}: {value}");
        let own_cookie = name == header::COOKIE && value.contains("client-key");
        prop_assert!(!own_cookie, "{name}: {value}");
        let is_upgrade = websocket.contains(name) && !of_client;
        prop_assert!(
            !HOP_BY_HOP.contains(&name.as_str()) || is_upgrade && !value.contains(','),
            "{name}: {value}"
        );
        for secret in ["authorization", "x-portcullis-key"] {
            prop_assert!(name != secret, "{name}: {value}");
        }
    }
    Ok(())
}
