//! Identity headers: name and template.

use http::HeaderName;

use super::diagnostic::did_you_mean;
use super::node::Node;
use super::reader::{Fields, Reader};
use crate::policy::{Field, Template, TemplateError, fold};

/// What every backend is told, in oauth2-proxy's names and our own.
const DEFAULTS: [(&str, &str); 10] = [
    ("x-forwarded-user", "{principal.label}"),
    ("x-forwarded-email", "{principal.email}"),
    ("x-forwarded-preferred-username", "{principal.name}"),
    ("x-forwarded-groups", "{roles}"),
    ("x-portcullis-principal", "{principal.id}"),
    ("x-portcullis-tenant", "{tenant.slug}"),
    ("x-portcullis-project", "{project.slug}"),
    ("x-portcullis-roles", "{roles}"),
    ("x-portcullis-acr", "{session.acr}"),
    ("x-portcullis-amr", "{session.amr}"),
];

/// Names that frame a message, carry a credential, or that the gateway sets itself.
const NEVER: [&str; 33] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "cookie2",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-portcullis-assertion",
    "x-portcullis-key",
    "x-real-ip",
    "x-request-id",
];

/// Names by which some servers let a client replace the path or the method that was
/// authorised.
const OVERRIDES: [&str; 6] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

/// Name and template; `None` removes what stood there before.
pub(super) type Entry = (HeaderName, Option<Template>);

/// The value of `identity:`.
pub(super) fn read(reader: Reader<'_>, parent: &Fields<'_>) -> Vec<Entry> {
    let Some(node) = parent.get("identity") else {
        return Vec::new();
    };
    let Some(fields) = reader.fields(node, &["headers", "assertion"]) else {
        return Vec::new();
    };
    let headers = match fields.get("assertion") {
        Some(_) => fields.get("headers"),
        None => fields.required("headers"),
    };
    let Some(headers) = headers else {
        return Vec::new();
    };
    let entries = reader.entries(headers).into_iter();
    entries
        .filter_map(|(_, name, value)| entry(reader, name, value))
        .collect()
}

fn entry(reader: Reader<'_>, name: &Node, value: &Node) -> Option<Entry> {
    let name = header_name(reader, name, refuse_identity);
    if value.text() == Some("") {
        return Some((name?, None));
    }
    let template = template(reader, value);
    Some((name?, Some(template?)))
}

/// A template, or a report of what is wrong with it.
pub(super) fn template(reader: Reader<'_>, node: &Node) -> Option<Template> {
    reader.parsed(node, "a template", |text| {
        Template::parse(text).map_err(|error| match &error {
            TemplateError::UnknownField { name, .. } => {
                let known = Field::ALL.map(Field::as_str);
                let near = did_you_mean(name, known);
                let help = if near.is_empty() {
                    format!("; there are {}", known.join(", "))
                } else {
                    near
                };
                format!("{error}{help}")
            }
            _ => error.to_string(),
        })
    })
}

/// A header name that `refuse` has nothing against.
pub(super) fn header_name(
    reader: Reader<'_>,
    node: &Node,
    refuse: impl FnOnce(&str) -> Option<String>,
) -> Option<HeaderName> {
    reader.parsed(node, "a header name", |text| {
        let name: HeaderName = text
            .parse()
            .map_err(|_| format!("`{text}` is not a header name"))?;
        match refuse(&fold(name.as_str())) {
            Some(reason) => Err(format!("header `{text}` {reason}")),
            None => Ok(name),
        }
    })
}

/// Whether every backend is told something by this name.
pub(super) fn is_default(folded: &str) -> bool {
    DEFAULTS.iter().any(|(name, _)| *name == folded)
}

pub(super) fn refuse_identity(folded: &str) -> Option<String> {
    let refused = NEVER.contains(&folded) || OVERRIDES.contains(&folded);
    refused.then(|| "cannot carry an identity: it has a meaning of its own".to_owned())
}

/// Why a client's header may not pass, apart from being owned.
pub(super) fn refuse_forwarding(folded: &str) -> Option<String> {
    if OVERRIDES.contains(&folded) {
        return Some("cannot be forwarded: it would replace what was authorised".to_owned());
    }
    NEVER
        .contains(&folded)
        .then(|| "cannot be listed: the gateway decides itself what becomes of it".to_owned())
}

/// Why a route may not set a header, apart from being owned.
pub(super) fn refuse_setting(folded: &str) -> Option<String> {
    let refused = NEVER.contains(&folded) || OVERRIDES.contains(&folded);
    refused.then(|| "cannot be set: it has a meaning of its own".to_owned())
}

/// Why a client's header may not name a resource or a project.
pub(super) fn refuse_source(folded: &str) -> Option<String> {
    const CREDENTIALS: [&str; 4] = [
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-portcullis-key",
    ];
    CREDENTIALS
        .contains(&folded)
        .then(|| "holds a credential and names nothing else".to_owned())
}

/// The defaults, changed by each layer in turn.
pub(super) fn layered(layers: &[&[Entry]]) -> Vec<(HeaderName, Template)> {
    let defaults = DEFAULTS.iter().filter_map(|(name, template)| {
        let template = Template::parse(template).ok()?;
        Some((HeaderName::from_static(name), template))
    });
    let mut headers: Vec<_> = defaults.collect();
    for (name, template) in layers.iter().copied().flatten() {
        headers.retain(|(present, _)| fold(present.as_str()) != fold(name.as_str()));
        headers.extend(template.clone().map(|template| (name.clone(), template)));
    }
    headers
}
