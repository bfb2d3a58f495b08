//! Every built-in role × permission × place, decided by the code that decides requests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::DateTime;
use http::{HeaderMap, HeaderValue, Method, header};
use portcullis::config::Settings;
use portcullis::domain::{
    Binding, BindingId, BuiltInRole, Catalogue, Effect, Owner, Permission, PolicyRows, Principal,
    PrincipalId, PrincipalKind, Project, ProjectId, ResourceId, Role, RoleId, RoleScope, Scope,
    Tenant, TenantId, Whose,
};
use portcullis::policy::{
    Authentication, CanonicalRequest, Circumstances, CredentialLimits, Decision, Named,
    NamedObjects, PathRef, Question, RawRequest, RoleTable, RouteMap, Subject,
    X_PORTCULLIS_PROJECT, decide,
};
use uuid::Uuid;

/// Where a permission is asked for.
struct Place {
    title: &'static str,
    /// Scope of the route.
    scope: &'static str,
    /// The project that the request names.
    project: Option<&'static str>,
    /// Project and environment of the object that it names.
    object: Option<(u128, &'static str)>,
}

const PLACES: [Place; 8] = [
    place("platform", "platform", None, None),
    place("own tenant", "tenant", Some("acme/fraud"), None),
    place("other tenant", "tenant", Some("globex/churn"), None),
    place("own project", "project", Some("acme/fraud"), None),
    place("sibling project", "project", Some("acme/risk"), None),
    place("object, dev", "project", None, Some((10, "dev"))),
    place(
        "object, production",
        "project",
        None,
        Some((10, "production")),
    ),
    place("another's object", "project", None, Some((20, "dev"))),
];

const fn place(
    title: &'static str,
    scope: &'static str,
    project: Option<&'static str>,
    object: Option<(u128, &'static str)>,
) -> Place {
    Place {
        title,
        scope,
        project,
        object,
    }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn settings() -> Settings {
    let text = "version: 1\nupstreams: { any: { url: \"http://127.0.0.1:1\" } }\n";
    Settings::parse("portcullis.yaml", text, &|_| None).unwrap()
}

/// One route a permission and scope: `GET /<scope>/<permission>`, and `…/<id>` for objects.
fn routes(catalogue: &Catalogue) -> RouteMap {
    let mut text =
        "version: 1\nupstreams: { any: { url: \"http://127.0.0.1:1\" } }\nroutes:\n".to_owned();
    for permission in catalogue.iter() {
        for scope in ["platform", "tenant", "project"] {
            let _ = writeln!(
                text,
                "  - {{ route: GET /{scope}/{permission}, permission: \"{permission}\", scope: {scope}, upstream: any }}"
            );
        }
        let _ = writeln!(
            text,
            "  - {{ route: 'GET /object/{permission}/{{id}}', permission: \"{permission}\", upstream: any, \
             resource: {{ type: thing, id: path.id }} }}"
        );
    }
    Settings::parse("portcullis.yaml", &text, &|_| None)
        .unwrap()
        .routes
}

/// A world in which one principal holds one role, where it can be held.
fn table(role: &BuiltInRole, catalogue: &Catalogue) -> RoleTable {
    let (acme, fraud) = (TenantId(id(1)), ProjectId(id(10)));
    let scope = match role.scope {
        RoleScope::Platform => Scope::Platform,
        RoleScope::Tenant => Scope::Tenant(acme),
        RoleScope::Project => Scope::Project(fraud),
    };
    let tenant = |n, slug: &str| Tenant {
        id: TenantId(id(n)),
        slug: slug.parse().unwrap(),
        name: slug.to_owned(),
    };
    let project = |n, tenant, slug: &str| Project {
        id: ProjectId(id(n)),
        tenant: TenantId(id(tenant)),
        slug: slug.parse().unwrap(),
        name: slug.to_owned(),
        owner: PrincipalId(id(199)),
    };
    let rows = PolicyRows {
        version: 1,
        tenants: vec![tenant(1, "acme"), tenant(2, "globex")],
        projects: vec![
            project(10, 1, "fraud"),
            project(11, 1, "risk"),
            project(20, 2, "churn"),
        ],
        principals: vec![principal()],
        roles: vec![Role {
            id: RoleId(id(30)),
            tenant: None,
            name: role.name.clone(),
            scope: role.scope,
            permissions: role.permissions.clone(),
        }],
        bindings: vec![Binding {
            id: BindingId(id(40)),
            principal: principal().id,
            role: RoleId(id(30)),
            scope,
            effect: Effect::Allow,
            condition: None,
        }],
    };
    let (table, unknown) = RoleTable::build(rows, catalogue);
    assert_eq!(unknown, Vec::new());
    table
}

fn principal() -> Principal {
    Principal {
        id: PrincipalId(id(100)),
        kind: PrincipalKind::User,
        email: Some("ann@example.com".to_owned()),
        name: "Ann".to_owned(),
        tenant: None,
        disabled: false,
    }
}

fn allowed(table: &RoleTable, routes: &RouteMap, permission: &Permission, place: &Place) -> bool {
    let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("gw"))]);
    if let Some(project) = place.project {
        headers.insert(X_PORTCULLIS_PROJECT, HeaderValue::from_static(project));
    }
    let target = match place.object {
        Some(_) => format!("/object/{permission}/x"),
        None => format!("/{}/{permission}", place.scope),
    };
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
    let object = place.object.map(|(project, environment)| {
        let labels = [("environment".to_owned(), environment.to_owned())];
        let owner = Owner {
            resource: ResourceId(id(1000)),
            project: ProjectId(id(project)),
            labels: Arc::new(BTreeMap::from(labels)),
        };
        let named = Named {
            kind: "thing".into(),
            id: "x".into(),
            enforced: true,
            may_be_absent: false,
        };
        (named, Whose::Owned(owner))
    });
    let (named, owners): (Vec<_>, Vec<_>) = object.into_iter().unzip();
    let subject = Subject {
        principal: principal().into(),
        credential: CredentialLimits::none().into(),
    };
    let decision = decide(&Question {
        request: &request,
        path,
        headers: &headers,
        lookup: routes.find(&Method::GET, "gw", &path),
        authentication: &Authentication::Authenticated(subject),
        table,
        circumstances: Circumstances {
            scheme: "https",
            ip: None,
            at: DateTime::UNIX_EPOCH,
        },
        objects: Some(NamedObjects {
            named: &named,
            owners: &owners,
            made: None,
            params: &[],
        }),
    });
    matches!(decision, Decision::Permitted(_))
}

fn matrix(role: &BuiltInRole, catalogue: &Catalogue, routes: &RouteMap) -> String {
    let table = table(role, catalogue);
    let mut text = format!("## {} (on a {})\n\n", role.name, role.scope.as_str());
    let mut never = Vec::new();
    let titles = PLACES.map(|place| place.title).join(" | ");
    let _ = writeln!(text, "{:<30} | {titles}", "permission");
    for permission in catalogue.iter() {
        let held = PLACES.map(|place| {
            let mark = if allowed(&table, routes, permission, &place) {
                "yes"
            } else {
                "-"
            };
            format!("{mark:<width$}", width = place.title.len())
        });
        if held.iter().all(|mark| mark.starts_with('-')) {
            never.push(permission.to_string());
        } else {
            let _ = writeln!(text, "{permission:<30} | {}", held.join(" | ").trim_end());
        }
    }
    let _ = writeln!(text, "\nnowhere: {}", never.join(", "));
    text
}

#[test]
fn every_builtin_role_holds_what_it_should_and_where() {
    let settings = settings();
    let routes = routes(&settings.catalogue);
    let roles = settings.roles.iter();
    let all: Vec<_> = roles
        .map(|role| matrix(role, &settings.catalogue, &routes))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}
