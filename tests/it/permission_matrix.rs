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

const fn id(n: u128) -> Uuid {
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

/// What somebody holds: roles by their names, each somewhere, given or denied, perhaps under a
/// condition.
type Holds<'h> = &'h [(&'h str, Scope, Effect, Option<&'h str>)];

const ACME: TenantId = TenantId(id(1));
const FRAUD: ProjectId = ProjectId(id(10));

/// A world in which one principal holds one role, where it can be held.
fn table(role: &BuiltInRole, settings: &Settings) -> RoleTable {
    let scope = match role.scope {
        RoleScope::Platform => Scope::Platform,
        RoleScope::Tenant => Scope::Tenant(ACME),
        RoleScope::Project => Scope::Project(FRAUD),
    };
    world(settings, &[(&role.name, scope, Effect::Allow, None)], 199)
}

/// A world in which one principal holds this, and somebody owns the project.
fn world(settings: &Settings, holds: Holds<'_>, owner: u128) -> RoleTable {
    let tenant = |n, slug: &str| Tenant {
        id: TenantId(id(n)),
        slug: slug.parse().unwrap(),
        name: slug.to_owned(),
        session_rules: None,
        key_rules: None,
    };
    let project = |n, tenant, slug: &str| Project {
        id: ProjectId(id(n)),
        tenant: TenantId(id(tenant)),
        slug: slug.parse().unwrap(),
        name: slug.to_owned(),
        owner: PrincipalId(id(if n == 10 { owner } else { 199 })),
        session_rules: None,
    };
    let roles = settings.roles.iter().zip(30..);
    let roles: Vec<_> = roles
        .map(|(role, n)| Role {
            id: RoleId(id(n)),
            tenant: None,
            name: role.name.clone(),
            scope: role.scope,
            permissions: role.permissions.clone(),
        })
        .collect();
    let bindings = holds.iter().zip(400..);
    let bindings = bindings.map(|((role, scope, effect, condition), n)| Binding {
        id: BindingId(id(n)),
        principal: principal().id,
        role: roles.iter().find(|it| it.name == *role).unwrap().id,
        scope: *scope,
        effect: *effect,
        condition: condition.map(str::to_owned),
    });
    let rows = PolicyRows {
        version: 1,
        tenants: vec![tenant(1, "acme"), tenant(2, "globex")],
        projects: vec![
            project(10, 1, "fraud"),
            project(11, 1, "risk"),
            project(20, 2, "churn"),
        ],
        principals: vec![principal()],
        bindings: bindings.collect(),
        roles,
    };
    let (table, unknown) = RoleTable::build(rows, &settings.catalogue);
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

fn allowed(
    (table, limits): (&RoleTable, &Arc<CredentialLimits>),
    routes: &RouteMap,
    permission: &Permission,
    place: &Place,
) -> bool {
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
        credential: Arc::clone(limits),
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

fn matrix(role: &BuiltInRole, settings: &Settings, routes: &RouteMap) -> String {
    let title = format!("{} (on a {})", role.name, role.scope.as_str());
    let (table, limits) = (table(role, settings), Arc::new(CredentialLimits::none()));
    rows(&title, (&table, &limits), settings, routes)
}

/// A line for each permission that is held somewhere, and the others in one.
fn rows(
    title: &str,
    holder: (&RoleTable, &Arc<CredentialLimits>),
    settings: &Settings,
    routes: &RouteMap,
) -> String {
    let mut text = format!("## {title}\n\n");
    let mut never = Vec::new();
    let titles = PLACES.map(|place| place.title).join(" | ");
    let _ = writeln!(text, "{:<30} | {titles}", "permission");
    for permission in settings.catalogue.iter() {
        let held = PLACES.map(|place| {
            let mark = if allowed(holder, routes, permission, &place) {
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
    let all: Vec<_> = roles.map(|role| matrix(role, &settings, &routes)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

/// What else a principal may be than the bearer of one role: the project's owner, somebody with
/// a role on one object or under a condition, somebody to whom something is denied, the bearer
/// of a narrower key.
#[test]
fn every_kind_of_principal_holds_what_it_should_and_where() {
    use Effect::{Allow, Deny};
    let settings = settings();
    let routes = routes(&settings.catalogue);
    let project = Scope::Project(FRAUD);
    let object = Scope::Resource {
        project: FRAUD,
        id: ResourceId(id(1000)),
    };
    let outside = Some("resource.environment != \"production\"");
    let unclear = Some("resource.labels[\"none\"] == \"x\"");
    let principals: [(&str, Holds<'_>, u128); 8] = [
        ("owner of the project, without a binding", &[], 100),
        ("nobody in particular", &[], 199),
        (
            "editor of one object",
            &[("editor", object, Allow, None)],
            199,
        ),
        (
            "viewer, editor outside production",
            &[
                ("viewer", project, Allow, None),
                ("editor", project, Allow, outside),
            ],
            199,
        ),
        (
            "editor, denied in production",
            &[
                ("editor", project, Allow, None),
                (
                    "editor",
                    project,
                    Deny,
                    Some("resource.environment == \"production\""),
                ),
            ],
            199,
        ),
        (
            "editor under a condition that cannot be evaluated",
            &[("editor", project, Allow, unclear)],
            199,
        ),
        (
            "editor, denied under a condition that cannot be evaluated",
            &[
                ("editor", project, Allow, None),
                ("editor", project, Deny, unclear),
            ],
            199,
        ),
        (
            "superadmin, denied in the tenant",
            &[
                ("superadmin", Scope::Platform, Allow, None),
                ("client_admin", Scope::Tenant(ACME), Deny, None),
            ],
            199,
        ),
    ];
    let unlimited = Arc::new(CredentialLimits::none());
    let mut all: Vec<_> = principals
        .iter()
        .map(|(title, holds, owner)| {
            let table = world(&settings, holds, *owner);
            rows(title, (&table, &unlimited), &settings, &routes)
        })
        .collect();
    let (readable, _) = settings.catalogue.expand(["models:*"]);
    let limits = Arc::new(CredentialLimits {
        projects: Some(vec![FRAUD]),
        permissions: Some(readable),
        ..CredentialLimits::none()
    });
    let table = world(
        &settings,
        &[("superadmin", Scope::Platform, Allow, None)],
        199,
    );
    let title = "superadmin by a key for models in one project";
    all.push(rows(title, (&table, &limits), &settings, &routes));
    insta::assert_snapshot!(all.join("\n"));
}
