//! `oidc:` of a provider, and what is known of those that go by a name of their own.

use url::Url;
use uuid::Uuid;

use super::{Client, client, domains, texts, url};
use crate::config::node::Node;
use crate::config::reader::{Fields, Reader};

/// An `OpenID` provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// As its discovery document has it, to the letter.
    pub issuer: Url,
    /// Its name for us, and what proves that we are it.
    pub client: Client,
    /// What is asked for besides `openid email profile`.
    pub scopes: Vec<String>,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// How it is asked for what it can be asked again with.
    pub offline: Offline,
    /// In what it is like no other.
    pub special: Special,
}

/// How a refresh token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offline {
    /// It gives one to everybody, or none is wanted.
    Unasked,
    /// By a scope (`OpenID` Connect Core §11).
    Scope,
    /// By Google's `access_type`.
    AccessType,
}

/// In what a provider is like no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Special {
    /// In nothing.
    Nothing,
    /// Google: the domains (`hd`) whose accounts are taken; at least one.
    Google(Vec<String>),
    /// Microsoft Entra ID.
    Entra(Entra),
}

/// A directory of Microsoft Entra ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entra {
    /// Whose people they are (`tid`).
    pub directory: Uuid,
    /// Where it is asked for groups that no token has room for.
    pub graph: Url,
}

/// Reads one kind.
type Read = fn(Reader<'_>, &Node) -> Option<Oidc>;

/// The kinds, by their keys.
pub(super) const READERS: [(&str, Read); 7] = [
    ("oidc", plain),
    ("google", google),
    ("okta", okta),
    ("entra", entra),
    ("keycloak", keycloak),
    ("auth0", auth0),
    ("gitlab", gitlab),
];

const GOOGLE: &str = "https://accounts.google.com";
const GITLAB: &str = "https://gitlab.com";
const MICROSOFT: &str = "https://login.microsoftonline.com";
const GRAPH: &str = "https://graph.microsoft.com";

/// The keys that all kinds have, with those of one.
fn keys<const N: usize>(own: [&'static str; N]) -> Vec<&'static str> {
    let all = [
        "client_id",
        "client_secret",
        "scopes",
        "groups_claim",
        "issuer",
    ];
    all.into_iter().chain(own).collect()
}

/// What all kinds have, if it is at `usual` and nothing else is said.
fn read(reader: Reader<'_>, fields: &Fields<'_>, usual: Option<String>) -> Option<Oidc> {
    let client = client(reader, fields);
    let issuer = match fields.get("issuer") {
        Some(node) => url(reader, node),
        None => usual.and_then(|usual| usual.parse().ok()),
    };
    let groups_claim = fields
        .get("groups_claim")
        .and_then(|node| reader.text(node));
    Some(Oidc {
        scopes: texts(reader, fields.get("scopes")),
        groups_claim: groups_claim.unwrap_or("groups").to_owned(),
        offline: Offline::Scope,
        special: Special::Nothing,
        issuer: issuer?,
        client: client?,
    })
}

fn plain(reader: Reader<'_>, node: &Node) -> Option<Oidc> {
    let fields = reader.fields(node, &keys([]))?;
    fields.required("issuer");
    read(reader, &fields, None)
}

fn google(reader: Reader<'_>, node: &Node) -> Option<Oidc> {
    let fields = reader.fields(node, &keys(["allowed_domains"]))?;
    let allowed = fields.required("allowed_domains");
    let hosted = domains(reader, allowed);
    if let Some(node) = allowed.filter(|_| hosted.is_empty()) {
        let problem = "without a domain everybody with a Google account would be let in";
        reader.report(node.place, problem);
    }
    Some(Oidc {
        offline: Offline::AccessType,
        special: Special::Google(hosted),
        ..read(reader, &fields, Some(GOOGLE.to_owned()))?
    })
}

/// Its own authorization server, or one that was made there.
fn okta(reader: Reader<'_>, node: &Node) -> Option<Oidc> {
    let fields = reader.fields(node, &keys(["domain", "authorization_server"]))?;
    let server = fields
        .get("authorization_server")
        .and_then(|node| segment(reader, node));
    let issuer = domain(reader, &fields).map(|domain| match server {
        Some(server) => format!("https://{domain}/oauth2/{server}"),
        None => format!("https://{domain}"),
    });
    let oidc = read(reader, &fields, issuer)?;
    Some(with_scope(oidc, "groups"))
}

/// One directory: at an address for all of them (`common`) nobody's issuer is known beforehand.
fn entra(reader: Reader<'_>, node: &Node) -> Option<Oidc> {
    let fields = reader.fields(node, &keys(["tenant_id", "graph"]))?;
    let directory = fields.required("tenant_id").and_then(|node| {
        reader.parsed(node, "the id of a directory", |text| {
            let told = || format!("`{text}` is not the id of one directory, which is a UUID");
            text.parse::<Uuid>().map_err(|_| told())
        })
    });
    let graph = match fields.get("graph") {
        Some(node) => url(reader, node),
        None => GRAPH.parse().ok(),
    };
    let issuer = directory.map(|id| format!("{MICROSOFT}/{id}/v2.0"));
    let oidc = read(reader, &fields, issuer)?;
    let special = Special::Entra(Entra {
        directory: directory?,
        graph: graph?,
    });
    // With it the access token is for Microsoft Graph.
    Some(with_scope(Oidc { special, ..oidc }, "User.Read"))
}

fn keycloak(reader: Reader<'_>, node: &Node) -> Option<Oidc> {
    let fields = reader.fields(node, &keys(["url", "realm"]))?;
    let site = at(reader, &fields, "url", None);
    let realm = needed(&fields, "realm").and_then(|node| segment(reader, node));
    let issuer = site
        .zip(realm)
        .map(|(site, realm)| format!("{site}/realms/{realm}"));
    Some(Oidc {
        offline: Offline::Unasked,
        ..read(reader, &fields, issuer)?
    })
}

/// Its issuer ends with a slash.
fn auth0(reader: Reader<'_>, node: &Node) -> Option<Oidc> {
    let fields = reader.fields(node, &keys(["domain"]))?;
    let issuer = domain(reader, &fields).map(|domain| format!("https://{domain}/"));
    read(reader, &fields, issuer)
}

fn gitlab(reader: Reader<'_>, node: &Node) -> Option<Oidc> {
    let fields = reader.fields(node, &keys(["url"]))?;
    let issuer = at(reader, &fields, "url", Some(GITLAB));
    Some(Oidc {
        offline: Offline::Unasked,
        ..read(reader, &fields, issuer)?
    })
}

fn with_scope(mut oidc: Oidc, scope: &str) -> Oidc {
    if !oidc.scopes.iter().any(|own| own == scope) {
        oidc.scopes.push(scope.to_owned());
    }
    oidc
}

/// What says where it is, unless `issuer` does.
fn needed<'a>(fields: &Fields<'a>, key: &str) -> Option<&'a Node> {
    match fields.get("issuer") {
        Some(_) => fields.get(key),
        None => fields.required(key),
    }
}

fn domain(reader: Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let node = needed(fields, "domain")?;
    reader.parsed(node, "a domain", super::domain)
}

/// An address without its last slash.
fn at(reader: Reader<'_>, fields: &Fields<'_>, key: &str, usual: Option<&str>) -> Option<String> {
    let node = match usual {
        Some(_) => fields.get(key),
        None => needed(fields, key),
    };
    let Some(node) = node else {
        return usual.map(str::to_owned);
    };
    let url = url(reader, node)?;
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// One segment of a path.
fn segment(reader: Reader<'_>, node: &Node) -> Option<String> {
    reader.parsed(node, "a name", |text| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = !text.is_empty() && text != ".." && text != "." && text.bytes().all(plain);
        let told = || format!("`{text}` has characters that no such name has");
        fits.then(|| text.to_owned()).ok_or_else(told)
    })
}
