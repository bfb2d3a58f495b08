//! The preset, compiled as the gateway compiles it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use http::Method;
use portcullis::domain::{Catalogue, RoleScope};
use portcullis::policy::{
    Dialect, Lookup, Origin, PathRef, Pattern, Requirement, Route, RouteMap, RouteTimeouts,
};
use serde::Deserialize;

use super::table::Row;

const PRESET: &str = include_str!("../../../config/presets/mlflow-workspaces.yaml");
const ROLES: &str = include_str!("../../../config/roles.yaml");

/// The compiled preset.
pub struct Preset {
    /// Its routes.
    pub map: RouteMap,
    /// Labels of the routes that the gateway answers by itself.
    answered: HashSet<Arc<str>>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// No route.
    Unknown,
    /// Refused on purpose.
    Denied,
    /// Answered by the gateway; MLflow never sees it.
    Answered,
    /// Forwarded to whoever has this, there.
    Forwarded(Requirement, RoleScope),
}

impl Answer {
    /// Whether MLflow never sees the request, whoever sends it.
    pub fn is_kept_from_mlflow(&self) -> bool {
        matches!(self, Self::Denied | Self::Answered)
    }
}

#[derive(Deserialize)]
struct File {
    routes: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    route: String,
    permission: Option<String>,
    authenticated: Option<bool>,
    public: Option<Arc<str>>,
    deny: Option<Arc<str>>,
    scope: Option<RoleScope>,
    respond: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Roles {
    permissions: BTreeMap<String, Vec<String>>,
}

impl Preset {
    /// Reads and compiles.
    pub fn load() -> Self {
        let catalogue = catalogue();
        let file: File = serde_saphyr::from_str(PRESET).unwrap();
        let answered = file.routes.iter().filter(|route| route.respond.is_some());
        let answered = answered.map(|route| route.route.as_str().into()).collect();
        let routes = file.routes.iter().map(|route| route.compile(&catalogue));
        let map = RouteMap::compile(routes.collect()).unwrap_or_else(|conflicts| {
            let told: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
            panic!("{told:#?}")
        });
        Self { map, answered }
    }

    /// The route of a request.
    pub fn find(&self, method: &Method, (segments, slash): &(Vec<&str>, bool)) -> Lookup<'_> {
        let path = PathRef {
            segments,
            trailing_slash: *slash,
        };
        self.map.find(method, "localhost", &path)
    }

    /// What becomes of the row.
    pub fn answer(&self, row: &Row) -> Answer {
        match self.find(&row.method(), &row.segments()) {
            Lookup::Found { route, .. } if self.answered.contains(&route.label) => Answer::Answered,
            Lookup::Found { route, .. } => match &route.requirement {
                Requirement::Deny { .. } => Answer::Denied,
                requirement => Answer::Forwarded(requirement.clone(), route.scope),
            },
            _ => Answer::Unknown,
        }
    }
}

fn catalogue() -> Catalogue {
    let roles: Roles = serde_saphyr::from_str(ROLES).unwrap();
    let permissions = roles.permissions.iter().flat_map(|(resource, actions)| {
        let name = move |action: &String| format!("{resource}:{action}").parse().unwrap();
        actions.iter().map(name)
    });
    Catalogue::new(permissions)
}

impl Written {
    fn compile(&self, catalogue: &Catalogue) -> Route {
        let (methods, pattern) = self.route.split_once(' ').unwrap();
        let methods = methods.split('|').map(|method| method.parse().unwrap());
        Route {
            label: self.route.as_str().into(),
            methods: methods.collect(),
            hosts: Vec::new(),
            patterns: Pattern::parse_all(pattern).unwrap(),
            upstream: "mlflow".into(),
            requirement: self.requirement(catalogue),
            scope: self.scope.unwrap_or(RoleScope::Project),
            resource: None,
            project: None,
            event: "test".into(),
            dialect: Dialect::Mlflow,
            forward_headers: Vec::new(),
            websocket: false,
            timeouts: RouteTimeouts::default(),
            origin: Origin {
                file: "preset:mlflow-workspaces".into(),
                line: 1,
                column: 1,
            },
        }
    }

    fn requirement(&self, catalogue: &Catalogue) -> Requirement {
        let (reason, denied) = (&self.public, &self.deny);
        match (&self.permission, self.authenticated, reason, denied) {
            (Some(name), None, None, None) => {
                let name = name.parse().unwrap();
                let index = catalogue.index(&name).expect("permission in the catalogue");
                Requirement::Permission { name, index }
            }
            (None, Some(true), None, None) => Requirement::Authenticated,
            (None, None, Some(reason), None) => Requirement::Public {
                reason: Arc::clone(reason),
            },
            (None, None, None, Some(reason)) => Requirement::Deny {
                reason: Arc::clone(reason),
            },
            _ => panic!("not exactly one requirement: {}", self.route),
        }
    }
}
