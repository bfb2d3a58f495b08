//! `identity.assertion:`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::HeaderName;

use super::identity;
use super::node::{Node, Value};
use super::reader::{Fields, Reader};
use super::route::known_upstream;
use super::settings::SignIn;
use crate::policy::{Template, fold};

const KEYS: [&str; 4] = ["header", "issuer", "audience", "claims"];

/// What verifiers are told unless the configuration says otherwise.
const DEFAULTS: [(&str, &str); 7] = [
    ("sub", "{principal.id}"),
    ("email", "{principal.email}"),
    ("tenant", "{tenant.slug}"),
    ("project", "{project.slug}"),
    ("roles", "{roles}"),
    ("acr", "{session.acr}"),
    ("amr", "{session.amr}"),
];

/// Claims that say what a token is good for: the gateway's to write.
const OWN: [&str; 6] = ["aud", "exp", "iat", "iss", "jti", "nbf"];

/// The signed word for who asks, as one backend gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Where it is.
    pub header: HeaderName,
    /// `iss`.
    pub issuer: Arc<str>,
    /// `aud`.
    pub audience: Arc<str>,
    /// The other claims; one whose template names what is absent is left out.
    pub claims: Vec<(String, Template)>,
}

/// The same for all of them.
#[derive(Debug)]
pub(super) struct Assertions {
    pub(super) header: HeaderName,
    issuer: Arc<str>,
    audiences: BTreeMap<Arc<str>, Arc<str>>,
    claims: Vec<(String, Template)>,
}

impl Assertions {
    /// As this upstream gets it.
    pub(super) fn at(&self, upstream: &Arc<str>) -> Assertion {
        let audience = self.audiences.get(upstream).unwrap_or(upstream);
        Assertion {
            header: self.header.clone(),
            issuer: Arc::clone(&self.issuer),
            audience: Arc::clone(audience),
            claims: self.claims.clone(),
        }
    }
}

/// `assertion:` within `identity:`.
pub(super) fn read(
    reader: Reader<'_>,
    parent: &Fields<'_>,
    upstreams: &BTreeSet<Arc<str>>,
    sign_in: Option<&SignIn>,
) -> Option<Assertions> {
    let identity = parent.get("identity")?;
    let node = identity.get("assertion")?;
    let fields = reader.fields(node, &KEYS)?;
    let header = match fields.get("header") {
        Some(node) => identity::header_name(reader, node, |folded| refuse(identity, folded)),
        None => Some(HeaderName::from_static("x-portcullis-assertion")),
    };
    let issuer = issuer(reader, &fields, sign_in);
    let audiences = audiences(reader, &fields, upstreams);
    let claims = claims(reader, &fields);
    Some(Assertions {
        header: header?,
        issuer: issuer?,
        audiences,
        claims,
    })
}

/// One header cannot be two things.
fn refuse(identity: &Node, folded: &str) -> Option<String> {
    if folded == "x-portcullis-assertion" {
        return None;
    }
    let headers = identity.get("headers").map(|node| &node.value);
    let taken = matches!(headers, Some(Value::Map(map))
        if map.iter().any(|(name, _)| name.text().is_some_and(|name| fold(name) == folded)));
    if taken || identity::is_default(folded) {
        return Some("is an identity header already".to_owned());
    }
    identity::refuse_identity(folded)
}

fn issuer(reader: Reader<'_>, fields: &Fields<'_>, sign_in: Option<&SignIn>) -> Option<Arc<str>> {
    if let Some(node) = fields.get("issuer") {
        return reader.text(node).map(Into::into);
    }
    let site = sign_in.and_then(|sign_in| sign_in.public_url.as_ref());
    if site.is_none() {
        let problem = "`assertion` needs `issuer`, or `sign_in: { public_url }`: verifiers ask \
                       whose word it is";
        reader.report(fields.place, problem);
    }
    site.map(|site| site.origin().ascii_serialization().into())
}

fn audiences(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    upstreams: &BTreeSet<Arc<str>>,
) -> BTreeMap<Arc<str>, Arc<str>> {
    let entries = fields.get("audience").map(|node| reader.entries(node));
    let read = entries.into_iter().flatten().filter_map(|(_, key, value)| {
        let upstream = known_upstream(reader, key, upstreams);
        let audience = reader.text(value);
        Some((upstream?, audience?.into()))
    });
    read.collect()
}

/// The defaults, and those of the configuration in their place or beside them.
fn claims(reader: Reader<'_>, fields: &Fields<'_>) -> Vec<(String, Template)> {
    let defaults = DEFAULTS.iter().filter_map(|(name, template)| {
        let template = Template::parse(template).ok()?;
        Some(((*name).to_owned(), template))
    });
    let mut claims: Vec<_> = defaults.collect();
    let entries = fields.get("claims").map(|node| reader.entries(node));
    for (name, key, value) in entries.into_iter().flatten() {
        if OWN.contains(&name) {
            let problem = format!("claim `{name}` is written by the gateway itself");
            reader.report(key.place, problem);
            continue;
        }
        claims.retain(|(present, _)| present != name);
        if value.text() != Some("")
            && let Some(template) = identity::template(reader, value)
        {
            claims.push((name.to_owned(), template));
        }
    }
    claims
}
