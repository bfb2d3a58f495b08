use chrono::DateTime;
use http::{HeaderMap, HeaderValue, Method, header};
use uuid::Uuid;

use super::super::{
    CanonicalRequest, Circumstances, CredentialLimits, Dialect, Named, NamedObjects, Origin,
    PathRef, Pattern, RawRequest, Rejection, RoleTable, RouteMap, RouteTimeouts, Source,
    X_PORTCULLIS_PROJECT,
};
use super::*;
use crate::domain::{
    Binding, BindingId, Catalogue, Effect, Owner, Permission, PolicyRows, Principal, PrincipalId,
    PrincipalKind, ProjectId, Role, RoleId, Scope, TenantId, Whose,
};

const READ: &str = "models:read";
const WRITE: &str = "models:update";

/// acme/fraud and acme/risk, globex/churn; ann owns fraud.
struct World {
    catalogue: Catalogue,
    rows: PolicyRows,
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

impl World {
    fn new() -> Self {
        let catalogue = Catalogue::new([READ, WRITE].map(|text| text.parse().unwrap()));
        let tenant = |n, slug: &str| Tenant {
            id: TenantId(id(n)),
            slug: slug.parse().unwrap(),
            name: slug.to_owned(),
            session_rules: None,
            key_rules: None,
        };
        let project = |n, tenant, slug: &str, owner| Project {
            id: ProjectId(id(n)),
            tenant: TenantId(id(tenant)),
            slug: slug.parse().unwrap(),
            name: slug.to_owned(),
            owner: PrincipalId(id(owner)),
            session_rules: None,
        };
        let role = |n, name: &str, scope, permission: &str| Role {
            id: RoleId(id(n)),
            tenant: None,
            name: name.to_owned(),
            scope,
            permissions: vec![permission.to_owned()],
        };
        let rows = PolicyRows {
            version: 1,
            tenants: vec![tenant(1, "acme"), tenant(2, "globex")],
            projects: vec![
                project(10, 1, "fraud", 100),
                project(11, 1, "risk", 199),
                project(20, 2, "churn", 199),
            ],
            principals: vec![principal(100), principal(101), principal(199)],
            roles: vec![
                role(30, "owner", RoleScope::Project, "*:*"),
                role(31, "viewer", RoleScope::Project, "*:read"),
                role(32, "client_admin", RoleScope::Tenant, "*:*"),
                role(33, "superadmin", RoleScope::Platform, "*:*"),
            ],
            bindings: Vec::new(),
        };
        Self { catalogue, rows }
    }

    /// Binds a role of a number to principal 101.
    fn bind(self, role: u128, scope: Scope) -> Self {
        self.bind_as(role, scope, Effect::Allow)
    }

    fn bind_as(mut self, role: u128, scope: Scope, effect: Effect) -> Self {
        self.rows.bindings.push(Binding {
            id: BindingId(id(900 + self.rows.bindings.len() as u128)),
            principal: PrincipalId(id(101)),
            role: RoleId(id(role)),
            scope,
            effect,
            condition: None,
        });
        self
    }

    fn table(&self) -> RoleTable {
        let rows = PolicyRows {
            version: 1,
            tenants: self.rows.tenants.clone(),
            projects: self.rows.projects.clone(),
            principals: self.rows.principals.clone(),
            roles: self.rows.roles.clone(),
            bindings: self.rows.bindings.clone(),
        };
        RoleTable::build(rows, &self.catalogue).0
    }

    fn asks(&self, who: u128) -> Asking<'_> {
        Asking {
            world: self,
            authentication: Authentication::Authenticated(Subject {
                principal: Arc::new(principal(who)),
                credential: CredentialLimits::none().into(),
            }),
            project: None,
            scope: RoleScope::Project,
            requirement: self.permission(WRITE),
            project_in_query: None,
            shape: |_| {},
            named: None,
        }
    }

    fn permission(&self, text: &str) -> Requirement {
        let name: Permission = text.parse().unwrap();
        let index = self.catalogue.index(&name).unwrap();
        Requirement::Permission { name, index }
    }

    fn limits(&self, permissions: Option<&[&str]>, projects: Option<&[u128]>) -> CredentialLimits {
        CredentialLimits {
            id: None,
            permissions: permissions.map(|p| self.catalogue.expand(p.iter().copied()).0),
            sign_in: None,
            key: None,
            scopes: None,
            projects: projects.map(|p| p.iter().map(|n| ProjectId(id(*n))).collect()),
        }
    }
}

fn principal(n: u128) -> Principal {
    Principal {
        id: PrincipalId(id(n)),
        kind: PrincipalKind::User,
        email: Some(format!("{n}@example.com")),
        name: n.to_string(),
        tenant: None,
        disabled: false,
    }
}

struct Asking<'w> {
    world: &'w World,
    authentication: Authentication,
    project: Option<&'static str>,
    scope: RoleScope,
    requirement: Requirement,
    project_in_query: Option<&'static str>,
    shape: fn(&mut Route),
    named: Option<(Vec<Named>, Vec<Whose>)>,
}

impl Asking<'_> {
    fn naming(mut self, project: &'static str) -> Self {
        self.project = Some(project);
        self
    }

    /// On a route that reads the project from the query, as its backend does.
    fn meaning(mut self, project: &'static str) -> Self {
        self.project_in_query = Some(project);
        self
    }

    fn at(mut self, scope: RoleScope) -> Self {
        self.scope = scope;
        self
    }

    fn needing(mut self, requirement: Requirement) -> Self {
        self.requirement = requirement;
        self
    }

    fn limited(mut self, limits: CredentialLimits) -> Self {
        if let Authentication::Authenticated(subject) = &mut self.authentication {
            subject.credential = Arc::new(limits);
        }
        self
    }

    fn presenting(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self
    }

    fn decide(self) -> Decision {
        self.ask(decide)
    }

    fn ask<T>(&self, judge: impl FnOnce(&Question<'_>) -> T) -> T {
        let table = self.world.table();
        let mut route = route(self.scope, self.requirement.clone());
        (self.shape)(&mut route);
        let mut target = "/x".to_owned();
        if let Some(project) = self.project_in_query {
            route.project = Some(Source::Query("p".into()));
            target = format!("/x?p={project}");
        }
        let map = RouteMap::compile(vec![route]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("h"));
        if let Some(project) = self.project {
            headers.insert(X_PORTCULLIS_PROJECT, HeaderValue::from_static(project));
        }
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
        let objects = self.named.as_ref();
        judge(&Question {
            request: &request,
            path,
            headers: &headers,
            lookup: map.find(&Method::GET, "h", &path),
            authentication: &self.authentication,
            table: &table,
            circumstances: Circumstances {
                ip: None,
                at: DateTime::UNIX_EPOCH,
                scheme: "https",
            },
            objects: objects.map(|(named, owners)| NamedObjects {
                named,
                owners,
                made: None,
                params: &[],
            }),
        })
    }

    /// The code of the denial, or which role let it pass where.
    fn verdict(self) -> String {
        match self.decide() {
            Decision::Denied(denial, _) => denial.code().to_owned(),
            Decision::Permitted(permit) => match permit.granted_by() {
                Some(grant) => format!("by {}", grant.role.name),
                None => "without a role".to_owned(),
            },
        }
    }
}

mod objects;
mod standing;

fn route(scope: RoleScope, requirement: Requirement) -> Route {
    Route {
        label: "GET /x".into(),
        methods: vec![Method::GET],
        hosts: Vec::new(),
        patterns: Pattern::parse_all("/x").unwrap(),
        upstream: "app".into(),
        respond: None,
        requirement,
        scope,
        resource: None,
        objects: crate::policy::Objects::default(),
        tenant: None,
        when: None,
        project: None,
        event: "x".into(),
        re_auth: None,
        completeness: Completeness::default(),
        dialect: Dialect::Problem,
        forward_headers: Vec::new(),
        websocket: false,
        timeouts: RouteTimeouts::default(),
        rate: crate::domain::Rates::default(),
        max_body: None,
        origin: Origin {
            file: "t".into(),
            line: 1,
            column: 1,
        },
    }
}

fn fraud() -> Scope {
    Scope::Project(ProjectId(id(10)))
}

#[test]
fn a_role_counts_at_its_scope_and_below_and_nowhere_else() {
    let acme = Scope::Tenant(TenantId(id(1)));
    for (role, scope, project, verdict) in [
        (33, Scope::Platform, "globex/churn", "by superadmin"),
        (32, acme, "acme/risk", "by client_admin"),
        (32, acme, "globex/churn", "project_closed"),
        (30, fraud(), "acme/fraud", "by owner"),
        (30, fraud(), "acme/risk", "project_closed"),
        (31, fraud(), "acme/fraud", "permission_missing"),
    ] {
        let world = World::new().bind(role, scope);
        assert_eq!(
            world.asks(101).naming(project).verdict(),
            verdict,
            "{role} {project}"
        );
    }
}

#[test]
fn the_owner_holds_the_role_owner_without_a_binding() {
    let world = World::new();
    assert_eq!(world.asks(100).naming("acme/fraud").verdict(), "by owner");
}

#[test]
fn a_binding_whose_role_does_not_fit_its_scope_grants_nothing() {
    let world = World::new().bind(33, fraud());
    assert_eq!(
        world.asks(101).naming("acme/fraud").verdict(),
        "project_closed"
    );
}

#[test]
fn unknown_and_foreign_projects_are_answered_alike() {
    let world = World::new().bind(31, fraud());
    for name in [
        "globex/churn",
        "globex/none",
        "none/none",
        "churn",
        "UPPER",
        "a/b/c",
    ] {
        assert_eq!(
            world.asks(101).naming(name).verdict(),
            "project_closed",
            "{name}"
        );
    }
}

#[test]
fn the_project_is_the_keys_else_the_named_one_else_the_only_one() {
    let world = World::new().bind(30, fraud());
    assert_eq!(world.asks(101).verdict(), "by owner");
    assert_eq!(world.asks(199).verdict(), "project_required");
    let key = world.limits(None, Some(&[10]));
    assert_eq!(
        world
            .asks(101)
            .limited(key)
            .naming("globex/churn")
            .verdict(),
        "by owner"
    );
    let two = world.limits(None, Some(&[11, 20]));
    assert_eq!(
        world.asks(101).limited(two).naming("acme/fraud").verdict(),
        "credential_scope"
    );
}

#[test]
fn the_project_that_the_backend_reads_is_the_one_that_is_checked() {
    let world = World::new().bind(30, fraud());
    let asks = || world.asks(101);
    let one = || world.limits(None, Some(&[10]));
    assert_eq!(asks().meaning("acme/fraud").verdict(), "by owner");
    assert_eq!(asks().meaning("globex--churn").verdict(), "project_closed");
    let other_header = asks().meaning("globex--churn").naming("acme/fraud");
    assert_eq!(other_header.verdict(), "project_closed");
    let owner_of_two = world.asks(199).meaning("globex/churn").naming("acme/risk");
    assert_eq!(owner_of_two.verdict(), "malformed_header");
    let same = world
        .asks(199)
        .meaning("globex/churn")
        .naming("globex/churn");
    assert_eq!(same.verdict(), "by owner");
    assert_eq!(
        asks().limited(one()).meaning("acme/fraud").verdict(),
        "by owner"
    );
    let outside = world.limits(None, Some(&[11]));
    let asked = world.asks(199).limited(outside).meaning("globex/churn");
    assert_eq!(asked.verdict(), "credential_scope");
}

#[test]
fn a_short_name_must_be_clear() {
    let mut world = World::new();
    world.rows.projects[2].slug = "risk".parse().unwrap();
    assert_eq!(
        world.asks(199).naming("risk").verdict(),
        "project_ambiguous"
    );
    assert_eq!(world.asks(199).naming("acme/risk").verdict(), "by owner");
}

#[test]
fn a_key_never_does_more_than_its_holder() {
    let world = World::new().bind(31, fraud());
    let all = world.limits(Some(&["*:*"]), Some(&[10]));
    assert_eq!(world.asks(101).limited(all).verdict(), "permission_missing");
    let foreign = world.limits(None, Some(&[20]));
    assert_eq!(world.asks(101).limited(foreign).verdict(), "project_closed");
}

#[test]
fn a_key_may_do_less_than_its_holder() {
    let world = World::new().bind(30, fraud());
    let reading = || world.limits(Some(&["*:read"]), None);
    assert_eq!(
        world.asks(101).limited(reading()).verdict(),
        "credential_permission"
    );
    let read = world
        .asks(101)
        .needing(world.permission(READ))
        .limited(reading());
    assert_eq!(read.verdict(), "by owner");
}

#[test]
fn a_key_of_projects_does_nothing_outside_them() {
    let world = World::new().bind(33, Scope::Platform);
    let asks = || world.asks(101).at(RoleScope::Platform);
    assert_eq!(asks().verdict(), "by superadmin");
    let key = world.limits(None, Some(&[10]));
    assert_eq!(asks().limited(key).verdict(), "credential_scope");
}

#[test]
fn whoever_cannot_be_known_is_refused_before_anything_else() {
    let world = World::new();
    for (authentication, verdict) in [
        (Authentication::NotPresented, "unauthenticated"),
        (
            Authentication::Rejected(Rejection::Revoked),
            "credential_revoked",
        ),
        (Authentication::Unavailable, "truth_unavailable"),
    ] {
        for requirement in [
            world.permission(READ),
            Requirement::Authenticated,
            Requirement::Deny { reason: "x".into() },
        ] {
            let asked = world
                .asks(101)
                .presenting(authentication.clone())
                .needing(requirement);
            assert_eq!(asked.verdict(), verdict);
        }
    }
}

#[test]
fn a_public_route_admits_strangers_but_no_bad_credential() {
    let world = World::new();
    let public = || {
        world
            .asks(101)
            .needing(Requirement::Public { reason: "x".into() })
    };
    assert_eq!(
        public().presenting(Authentication::NotPresented).verdict(),
        "without a role"
    );
    let rejected = Authentication::Rejected(Rejection::Unknown);
    assert_eq!(
        public().presenting(rejected).verdict(),
        "credential_unknown"
    );
}

#[test]
fn a_denied_route_lets_nobody_pass() {
    let world = World::new().bind(33, Scope::Platform);
    let asked = world
        .asks(101)
        .needing(Requirement::Deny { reason: "x".into() });
    assert_eq!(asked.verdict(), "route_denied");
}

#[test]
fn an_authenticated_route_tells_the_project_only_if_it_is_open() {
    let world = World::new().bind(31, fraud());
    let asks = || world.asks(101).needing(Requirement::Authenticated);
    let Decision::Permitted(permit) = asks().decide() else {
        panic!("denied");
    };
    assert_eq!(permit.project().unwrap().slug.as_str(), "fraud");
    assert_eq!(asks().naming("globex/churn").verdict(), "project_closed");
    let Decision::Permitted(permit) = world.asks(199).needing(Requirement::Authenticated).decide()
    else {
        panic!("denied");
    };
    assert!(permit.project().is_none());
}
