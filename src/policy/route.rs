//! A route: which requests, what they need, where they go.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use http::{HeaderName, Method, StatusCode};

use super::{Condition, HostPattern, Objects, Pattern, Pointer, ResourceRule};
use crate::domain::{Permission, PermissionIndex, Rates, RoleScope};

/// (methods, hosts, path patterns) → requirement, resource, event, upstream.
#[derive(Clone, Debug)]
pub struct Route {
    /// `GET /pattern` as written: the metric label, and `route` of an audit event.
    pub label: Arc<str>,
    /// At least one.
    pub methods: Vec<Method>,
    /// Empty: any host.
    pub hosts: Vec<HostPattern>,
    /// At least one; several when the written pattern has alternations.
    pub patterns: Vec<Pattern>,
    /// Name of the upstream; empty for a route whose requests never reach one.
    pub upstream: Arc<str>,
    /// An answer that the gateway gives itself, to whoever is permitted.
    pub respond: Option<Arc<FixedResponse>>,
    /// What a caller must have.
    pub requirement: Requirement,
    /// Where a permission must be held.
    pub scope: RoleScope,
    /// The object of the backend that the request is about.
    pub resource: Option<ResourceRule>,
    /// What else it says about objects.
    pub objects: Objects,
    /// Where the request names its tenant. With it `project` is a name in that tenant.
    pub tenant: Option<Source>,
    /// What must hold besides, on every object that is named, made or listed.
    pub when: Option<Arc<Condition>>,
    /// Where the request names its project, besides `X-Portcullis-Project`.
    pub project: Option<Source>,
    /// Event name of the audit.
    pub event: Arc<str>,
    /// How long ago a person may have proved who they are, if it is sensitive.
    pub re_auth: Option<TimeDelta>,
    /// How far somebody must have signed in, if they have a session.
    pub completeness: Completeness,
    /// How a refusal is worded.
    pub dialect: Dialect,
    /// Client headers that pass in addition to the usual ones.
    pub forward_headers: Vec<HeaderName>,
    /// Whether the connection may become a WebSocket.
    pub websocket: bool,
    /// What it changes of its upstream's time-outs.
    pub timeouts: RouteTimeouts,
    /// How often it may be asked, besides the limits on all requests.
    pub rate: Rates,
    /// Longest body of a request, in bytes; `None`: `limits.body`.
    pub max_body: Option<u64>,
    /// Where it is written.
    pub origin: Origin,
}

impl Route {
    /// Whether a request may name objects.
    #[must_use]
    pub const fn reads_objects(&self) -> bool {
        self.resource.is_some() || !self.objects.references.is_empty()
    }

    /// Whether more than the head of a request is needed to judge it.
    #[must_use]
    pub fn is_asked_about(&self) -> bool {
        let objects = &self.objects;
        self.reads_objects()
            || objects.body.is_some()
            || !(objects.forbid.is_empty() && objects.only.is_empty())
            || !objects.params.is_empty()
            || !objects.names.is_empty()
            || objects.creates.iter().any(|rule| !rule.labels.is_empty())
    }

    /// Whether the answer is understood before it is passed on.
    #[must_use]
    pub const fn captures(&self) -> bool {
        !self.objects.creates.is_empty()
            || self.objects.judge_answers()
            || self.objects.names.change_answers()
    }

    /// Whether more is to be done than to decide: with the body, with the request before it is
    /// forwarded, with the answer, or instead of any backend.
    #[must_use]
    pub fn needs_carrying(&self) -> bool {
        let objects = &self.objects;
        self.captures()
            || self.respond.is_some()
            || objects.deletes
            || objects.body.is_some()
            || !objects.set.is_empty()
            || !objects.names.is_empty()
    }

    /// Whether a request or its answer may name objects.
    #[must_use]
    pub const fn names_objects(&self) -> bool {
        self.reads_objects() || self.objects.judge_answers()
    }
}

impl Route {
    /// The upstream under whose name its objects are on record.
    #[must_use]
    pub const fn recorded_at(&self) -> &Arc<str> {
        match &self.objects.recorded_at {
            Some(upstream) => upstream,
            None => &self.upstream,
        }
    }
}

/// What a caller must have. There is no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The permission, in the route's scope.
    Permission {
        /// In words.
        name: Permission,
        /// In the catalogue.
        index: PermissionIndex,
    },
    /// Any known principal.
    Authenticated,
    /// Nothing at all.
    Public {
        /// Why that is right.
        reason: Arc<str>,
    },
    /// Nobody passes.
    Deny {
        /// Why; told to the caller.
        reason: Arc<str>,
    },
}

impl Requirement {
    /// The event name of a route that gives none: `<resource>.<action>` of the permission.
    #[must_use]
    pub fn default_event(&self, resource: Option<&ResourceRule>) -> Arc<str> {
        let Self::Permission { name, .. } = self else {
            return "request.forwarded".into();
        };
        let kind = resource.map_or(name.resource(), |rule| &rule.kind);
        format!("{kind}.{}", name.action()).into()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission { name, .. } => write!(f, "permission {name}"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Public { reason } => write!(f, "public: {reason}"),
            Self::Deny { reason } => write!(f, "deny: {reason}"),
        }
    }
}

/// How far somebody must have signed in. A key is always enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Completeness {
    /// By one factor, even if a second one is still to come.
    Begun,
    /// By all that they have set up.
    Known,
    /// The same, and by two factors wherever that is asked of everybody.
    #[default]
    Complete,
    /// By two factors.
    TwoFactors,
}

/// An answer that needs no backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its body, JSON.
    pub body: Box<str>,
}

/// A place in the request that holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A value of the path pattern.
    Path(Arc<str>),
    /// A query parameter, sent once at most.
    Query(Arc<str>),
    /// Each value of a query parameter.
    QueryEach(Arc<str>),
    /// A header.
    Header(HeaderName),
    /// A place in the body.
    Body(Pointer),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(name) => write!(f, "path.{name}"),
            Self::Query(name) => write!(f, "query.{name}"),
            Self::QueryEach(name) => write!(f, "query.{name}/*"),
            Self::Header(name) => write!(f, "header.{name}"),
            Self::Body(pointer) => write!(f, "body.{pointer}"),
        }
    }
}

/// The backend's way of wording an error, so that its own clients understand a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 9457 problem+json.
    #[default]
    Problem,
    /// MLflow's `error_code` and `message`.
    Mlflow,
    /// OpenAI's `error` object.
    OpenAi,
    /// KServe's `error` text.
    Kserve,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Problem, Self::Mlflow, Self::OpenAi, Self::Kserve];

    /// The word used in YAML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Mlflow => "mlflow",
            Self::OpenAi => "openai",
            Self::Kserve => "kserve",
        }
    }
}

/// Time-outs that replace the upstream's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteTimeouts {
    /// To connect.
    pub connect: Option<Duration>,
    /// Between two reads.
    pub read: Option<Duration>,
    /// Between two writes.
    pub write: Option<Duration>,
}

/// Where something is written: file, line, column, both from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Path of the file as given, or `preset:<name>`.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
