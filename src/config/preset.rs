//! `presets:`: route maps that come with the gateway.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bodies::Bodies;
use super::diagnostic::did_you_mean;
use super::identity;
use super::node::Node;
use super::reader::{Fields, Reader};
use super::resources::Types;
use super::route::{self, Surroundings};
use super::settings::{CONTROL_PLANE, Exists, Provision};
use super::{body, catalogue, sections};
use crate::domain::Permission;
use crate::policy::{Dialect, HostPattern, Route};

/// Name and text of every preset.
const PRESETS: [(&str, &str); 6] = [
    ("jupyter", include_str!("../../config/presets/jupyter.yaml")),
    (
        "kserve-v2",
        include_str!("../../config/presets/kserve-v2.yaml"),
    ),
    (
        "kserve-v2-grpc",
        include_str!("../../config/presets/kserve-v2-grpc.yaml"),
    ),
    ("mlflow", include_str!("../../config/presets/mlflow.yaml")),
    (
        "mlflow-workspaces",
        include_str!("../../config/presets/mlflow-workspaces.yaml"),
    ),
    ("openai", include_str!("../../config/presets/openai.yaml")),
];

/// The gateway's own API: always loaded, and the only one whose routes are in the reserved
/// part of the paths.
const OWN: (&str, &str) = (
    "portcullis",
    include_str!("../../config/presets/portcullis.yaml"),
);

/// The gateway's own pages: loaded where people sign in.
const SIGN_IN: (&str, &str) = ("sign-in", include_str!("../../config/presets/sign-in.yaml"));

/// Where access tokens are given: loaded where they are.
const OAUTH2: (&str, &str) = ("oauth2", include_str!("../../config/presets/oauth2.yaml"));

const KEYS: [&str; 7] = [
    "errors",
    "identity",
    "permissions",
    "resources",
    "bodies",
    "provision",
    "routes",
];

/// A preset that the configuration uses.
pub(super) struct Choice {
    pub name: &'static str,
    pub text: &'static str,
    pub upstream: Arc<str>,
    /// Where its routes are; empty: on any host.
    pub hosts: Vec<HostPattern>,
}

impl Choice {
    /// The gateway's own API, at its own control plane.
    pub fn own() -> Self {
        Self::at_control_plane(OWN)
    }

    /// The gateway's own pages, at the same place.
    pub fn sign_in() -> Self {
        Self::at_control_plane(SIGN_IN)
    }

    /// The gateway's own endpoints of OAuth, at the same place.
    pub fn oauth2() -> Self {
        Self::at_control_plane(OAUTH2)
    }

    fn at_control_plane((name, text): (&'static str, &'static str)) -> Self {
        Self {
            name,
            text,
            upstream: CONTROL_PLANE.into(),
            hosts: Vec::new(),
        }
    }
}

/// `presets: [{ name, upstream, hosts }]`.
pub(super) fn choices(
    reader: Reader<'_>,
    parent: &Fields<'_>,
    upstreams: &BTreeSet<Arc<str>>,
) -> Vec<Choice> {
    let Some(node) = parent.get("presets") else {
        return Vec::new();
    };
    let mut choices: Vec<Choice> = Vec::new();
    for item in reader.list(node) {
        let Some(choice) = choice(reader, item, upstreams) else {
            continue;
        };
        let same = |other: &Choice| other.name == choice.name && other.hosts == choice.hosts;
        if choices.iter().any(same) {
            let problem = format!("preset `{}` is listed twice", choice.name);
            reader.report(item.place, problem);
        } else {
            choices.push(choice);
        }
    }
    choices
}

fn choice(reader: Reader<'_>, node: &Node, upstreams: &BTreeSet<Arc<str>>) -> Option<Choice> {
    let fields = reader.fields(node, &["name", "upstream", "hosts"])?;
    let preset = fields.required("name").and_then(|node| known(reader, node));
    let upstream = fields.required("upstream");
    let upstream = upstream.and_then(|node| route::known_upstream(reader, node, upstreams));
    let hosts = route::hosts(reader, &fields);
    let (name, text) = preset?;
    Some(Choice {
        name,
        text,
        upstream: upstream?,
        hosts: hosts?,
    })
}

fn known(reader: Reader<'_>, node: &Node) -> Option<(&'static str, &'static str)> {
    let names = || PRESETS.iter().map(|(name, _)| *name);
    reader.parsed(node, "a preset", |text| {
        let preset = PRESETS.iter().find(|(name, _)| *name == text);
        preset.copied().ok_or_else(|| {
            let near = did_you_mean(text, names());
            let listed = names().collect::<Vec<_>>().join("`, `");
            let help = if near.is_empty() {
                format!("; there is `{listed}`")
            } else {
                near
            };
            format!("unknown preset `{text}`{help}")
        })
    })
}

/// What of a preset other parts depend on, read before any route.
pub(super) struct Preset<'a> {
    reader: Reader<'a>,
    fields: Fields<'a>,
    pub upstream: Arc<str>,
    hosts: Vec<HostPattern>,
    pub errors: Dialect,
    pub identity: Vec<identity::Entry>,
    pub permissions: Vec<Permission>,
    pub bodies: Bodies,
}

impl<'a> Preset<'a> {
    pub fn read(reader: Reader<'a>, node: &'a Node, choice: &Choice) -> Option<Self> {
        let fields = reader.fields(node, &KEYS)?;
        Some(Self {
            upstream: Arc::clone(&choice.upstream),
            hosts: choice.hosts.clone(),
            errors: sections::dialect(reader, &fields).unwrap_or_default(),
            identity: identity::read(reader, &fields),
            permissions: catalogue::permissions(reader, &fields),
            bodies: Bodies::read(reader, &fields),
            reader,
            fields,
        })
    }

    /// Whether it is the gateway's own API.
    pub fn is_own(&self) -> bool {
        *self.upstream == *CONTROL_PLANE
    }

    /// Adds its types of objects.
    pub fn declare(&self, types: &mut Types, upstreams: &BTreeSet<Arc<str>>) {
        types.read(self.reader, &self.fields, upstreams, Some(&self.upstream));
    }

    /// Its routes; `of_all` is what they are checked against.
    pub fn routes(&self, of_all: &Surroundings<'_>) -> Vec<Route> {
        let surroundings = Surroundings {
            errors: self.errors,
            upstream: Some(&self.upstream),
            hosts: &self.hosts,
            ..*of_all
        };
        route::read(self.reader, &self.fields, &surroundings)
    }

    /// `provision: { project: … }`.
    pub fn provision(&self) -> Option<Provision> {
        let reader = self.reader;
        let node = self.fields.get("provision")?;
        let fields = reader.fields(node, &["project"])?;
        let fields = reader.fields(fields.required("project")?, &["request", "body", "exists"])?;
        let request = fields.required("request")?;
        let line = reader.parsed(request, "a request; write `POST /path`", |text| {
            let (method, path) = text.split_once(' ').ok_or("write `POST /path`")?;
            Ok::<_, String>((route::method(method)?, path.to_owned()))
        });
        let body = fields.required("body");
        let body = body.and_then(|node| body::template(reader, node));
        let exists = fields
            .get("exists")
            .map_or(&[][..], |node| reader.list(node));
        let exists = exists.iter().map(|node| self::exists(reader, node));
        let exists: Option<Vec<_>> = exists.collect();
        let (method, path) = line?;
        Some(Provision {
            upstream: Arc::clone(&self.upstream),
            method,
            path,
            body: body?,
            exists: exists?,
            origin: reader.origin(request.place),
        })
    }
}

/// `409`, or `"400:RESOURCE_ALREADY_EXISTS"`.
fn exists(reader: Reader<'_>, node: &Node) -> Option<Exists> {
    if node.text().is_none() {
        let status = reader.integer(node, &(200..=599))?;
        return Some(Exists { status, code: None });
    }
    reader.parsed(node, "a status", |text| {
        let (status, code) = match text.split_once(':') {
            Some((status, code)) => (status, Some(code.to_owned())),
            None => (text, None),
        };
        let status = status.parse();
        status
            .map(|status| Exists { status, code })
            .map_err(|_| format!("`{text}` is not a status; write `409` or `\"400:CODE\"`"))
    })
}
