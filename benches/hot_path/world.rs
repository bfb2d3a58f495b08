//! One principal's question, on one of many routes, in a world of many bindings.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, header};
use portcullis::domain::{PermissionIndex, RoleScope, Whose};
use portcullis::policy::{
    Authentication, CanonicalRequest, Circumstances, CredentialLimits, Decision, Dialect, Named,
    NamedObjects, Objects, Origin, PathRef, Pattern, Question, RawRequest, Requirement,
    ResourceRule, RoleTable, Route, RouteMap, RouteTimeouts, Source, Subject, decide,
};

use super::rows::{EACH, owner, principal, project_of};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The permission that all routes want.
pub const READ: &str = "models:read";

/// One principal's question, on one of many routes.
pub struct World {
    table: Arc<RoleTable>,
    map: RouteMap,
    request: CanonicalRequest,
    headers: HeaderMap,
    authentication: Authentication,
    named: [Named; 1],
    owners: [Whose; 1],
}

impl World {
    /// The principal in the middle of this many, asking for the seventh of the routes.
    pub fn new(
        table: Arc<RoleTable>,
        routes: usize,
        bindings: usize,
        read: PermissionIndex,
    ) -> Result<Self> {
        let map = route_map(routes, read)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("gw"));
        let request = CanonicalRequest::parse(&RawRequest {
            method: &Method::GET,
            target: b"/api/v7/models/model-7",
            authority: None,
            headers: &headers,
        })?;
        let who = principal(bindings / EACH / 2);
        Ok(Self {
            table,
            map,
            request,
            headers,
            authentication: Authentication::Authenticated(Subject {
                principal: Arc::new(who),
                credential: CredentialLimits::none().into(),
            }),
            named: [Named {
                kind: "model".into(),
                id: "model-7".into(),
                enforced: true,
                may_be_absent: false,
            }],
            owners: [Whose::Owned(owner(project_of(
                bindings / EACH / 2,
                EACH / 2,
            )))],
        })
    }

    /// Finds the route and decides.
    pub fn ask(&self) -> Decision {
        let segments = self.request.path().segments();
        let path = PathRef {
            segments: &segments,
            trailing_slash: false,
        };
        decide(&Question {
            request: &self.request,
            path,
            headers: &self.headers,
            lookup: self.map.find(&Method::GET, "gw", &path),
            authentication: &self.authentication,
            table: &self.table,
            circumstances: Circumstances {
                ip: None,
                at: chrono::DateTime::UNIX_EPOCH,
                scheme: "https",
            },
            objects: Some(NamedObjects {
                named: &self.named,
                owners: &self.owners,
                made: None,
                params: &[],
            }),
        })
    }
}

/// This many routes, each of its own path: the seventh is `/api/v7/models/{id}`.
pub fn route_map(routes: usize, read: PermissionIndex) -> Result<RouteMap> {
    let routes = (0..routes).map(|n| route(n, read)).collect::<Result<_>>()?;
    Ok(RouteMap::compile(routes).map_err(|_| "routes in conflict")?)
}

fn route(n: usize, read: PermissionIndex) -> Result<Route> {
    let pattern = format!("/api/v{n}/models/{{id}}");
    Ok(Route {
        label: pattern.as_str().into(),
        methods: vec![Method::GET],
        hosts: Vec::new(),
        patterns: Pattern::parse_all(&pattern)?,
        upstream: "app".into(),
        respond: None,
        requirement: Requirement::Permission {
            name: READ.parse()?,
            index: read,
        },
        scope: RoleScope::Project,
        resource: Some(ResourceRule {
            kind: "model".into(),
            ids: vec![Source::Path("id".into())],
            optional: false,
            absent: false,
            backend: false,
            visible: None,
            forms: Vec::new(),
        }),
        objects: Objects::default(),
        tenant: None,
        when: None,
        project: None,
        event: "model.read".into(),
        re_auth: None,
        completeness: portcullis::policy::Completeness::default(),
        dialect: Dialect::Problem,
        forward_headers: Vec::new(),
        websocket: false,
        timeouts: RouteTimeouts::default(),
        rate: portcullis::domain::Rates::default(),
        max_body: None,
        origin: Origin {
            file: "bench".into(),
            line: 1,
            column: 1,
        },
    })
}
