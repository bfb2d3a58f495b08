//! `sign_in.providers:`.

mod alone;
mod github;
mod oidc;

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

pub use self::github::GitHub;
pub use self::oidc::{Entra, Offline, Oidc, Special};
use super::Hidden;
use super::mail::is_here;
use super::node::Node;
use super::reader::{Fields, Reader};
use super::saml::{self, Saml};
use crate::domain::Slug;

const KEYS: [&str; 18] = [
    "name",
    "tenant",
    "label",
    "oidc",
    "google",
    "okta",
    "entra",
    "keycloak",
    "auth0",
    "gitlab",
    "github",
    "saml",
    "domains",
    "recheck",
    "auto_provision_users",
    "link_by_email",
    "default_role",
    "group_role_mapping",
];
/// How often a provider can be asked again.
const RECHECK: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(24);

/// Somebody else's service that says who people are, for one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name in paths, in events and on record.
    pub name: Slug,
    /// Whose people it knows.
    pub tenant: Slug,
    /// What its button says.
    pub label: String,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// Domains of e-mail addresses whose people sign in there.
    pub domains: Vec<String>,
    /// Whether somebody new gets an account.
    pub auto_provision: bool,
    /// Whether somebody known by the same verified address is taken for the same person.
    pub link_by_email: bool,
    /// What everybody is given, and what each of their groups.
    pub grants: Vec<GroupRole>,
    /// How often it is asked what it says now of whoever has a session; `None`: never.
    pub recheck: Option<Duration>,
}

/// How a provider is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// By `OpenID` Connect.
    Oidc(Oidc),
    /// By GitHub's OAuth, which is not.
    GitHub(GitHub),
    /// By SAML 2.0.
    Saml(Box<Saml>),
}

/// A client's name and secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; `None`: a public client, which PKCE alone protects.
    pub secret: Option<Hidden>,
}

/// A role that people of a group are given, for as long as they are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRole {
    /// Which group; `None`: everybody.
    pub group: Option<String>,
    /// Which role, by its name.
    pub role: String,
    /// In which project; `None`: in the tenant.
    pub project: Option<Slug>,
}

impl Provider {
    /// Whether both speak for people of a domain, for different tenants: whose people they are would
    /// not be clear, and either could say that it is the other's.
    #[must_use]
    pub fn contends_with(&self, other: &Self) -> bool {
        let mut theirs = other.domains.iter();
        self.tenant != other.tenant && theirs.any(|domain| self.domains.contains(domain))
    }
}

pub(super) fn read(reader: Reader<'_>, node: &Node) -> Vec<Provider> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for node in reader.list(node) {
        let Some(provider) = provider(reader, node) else {
            continue;
        };
        let contends = |other: &&Provider| provider.contends_with(other);
        if let Some(other) = all.iter().find(contends) {
            let problem = format!(
                "provider `{}` of another tenant speaks for one of these domains: whose people \
                 they are must be clear",
                other.name
            );
            reader.report(node.place, problem);
        }
        if names.insert(provider.name.clone()) {
            all.push(provider);
        } else {
            let problem = format!("there is another provider `{}`", provider.name);
            reader.report(node.place, problem);
        }
    }
    all
}

fn provider(reader: Reader<'_>, node: &Node) -> Option<Provider> {
    let fields = reader.fields(node, &KEYS)?;
    let slug = |key| {
        let node = fields.required(key)?;
        reader.of_type::<Slug>(node, "a short name")
    };
    let (name, tenant) = (slug("name"), slug("tenant"));
    let label = fields.get("label").and_then(|node| reader.text(node));
    let flag = |key| {
        fields
            .get(key)
            .map_or(Some(false), |node| reader.boolean(node))
    };
    let (auto_provision, link_by_email) = (flag("auto_provision_users"), flag("link_by_email"));
    let recheck = fields
        .get("recheck")
        .and_then(|node| reader.duration(node, &RECHECK));
    let kind = kind(reader, node, &fields, recheck.is_some());
    if recheck.is_some() && matches!(kind, Some(ProviderKind::Saml(_))) {
        let problem = "a SAML provider cannot be asked again; its own `SessionNotOnOrAfter` says \
                       until when its word is good";
        reader.report(fields.key_place("recheck"), problem);
    }
    let grants = grants(reader, &fields);
    let domains = domains(reader, fields.get("domains"));
    if link_by_email == Some(true) && domains.is_empty() {
        let problem = "`link_by_email` needs `domains`: else the provider could say that it speaks \
                       for anybody";
        reader.report(fields.key_place("link_by_email"), problem);
    }
    // Of Google and GitHub it is known that they look whose an address is.
    let is_bound = fields.get("google").or(fields.get("github")).is_some();
    if auto_provision == Some(true) && domains.is_empty() && !is_bound {
        let problem = "`auto_provision_users` needs `domains`: else the provider could bring \
                       accounts with anybody's address";
        reader.report(fields.key_place("auto_provision_users"), problem);
    }
    let name = name?;
    // Who has given a role is on record by name.
    if name.as_str() == "scim" {
        let problem = "`scim` is what directories are called";
        reader.report(fields.key_place("name"), problem);
    }
    Some(Provider {
        label: label.unwrap_or(name.as_str()).to_owned(),
        name,
        tenant: tenant?,
        kind: kind?,
        domains,
        auto_provision: auto_provision?,
        link_by_email: link_by_email?,
        grants,
        recheck,
    })
}

fn kind(
    reader: Reader<'_>,
    node: &Node,
    fields: &Fields<'_>,
    is_rechecked: bool,
) -> Option<ProviderKind> {
    let oidc = oidc::READERS.iter().filter_map(|(key, read)| {
        let node = fields.get(key)?;
        let read = read(reader, node).map(|oidc| Oidc {
            offline: if is_rechecked {
                oidc.offline
            } else {
                Offline::Unasked
            },
            ..oidc
        });
        Some(read.map(ProviderKind::Oidc))
    });
    let github = fields.get("github").map(|node| github::read(reader, node));
    let github = github
        .into_iter()
        .map(|read| read.map(ProviderKind::GitHub));
    let saml = fields.get("saml").map(|node| saml::read(reader, node));
    let saml = saml
        .into_iter()
        .map(|read| read.map(|saml| ProviderKind::Saml(Box::new(saml))));
    let mut kinds = oidc.chain(github).chain(saml);
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        let problem = "one of `oidc`, `google`, `okta`, `entra`, `keycloak`, `auth0`, `gitlab`, \
                       `github` and `saml` says what it is";
        reader.report(node.place, problem);
        return None;
    };
    kind
}

fn client(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Client> {
    let id = fields
        .required("client_id")
        .and_then(|node| reader.text(node));
    let secret = fields
        .get("client_secret")
        .and_then(|node| reader.text(node));
    Some(Client {
        id: id?.to_owned(),
        secret: secret.map(|secret| Hidden(secret.to_owned())),
    })
}

/// In cleartext whoever listens can be anybody: to this very machine only.
pub(super) fn url(reader: Reader<'_>, node: &Node) -> Option<Url> {
    reader.parsed(node, "a URL", |text| {
        let url: Url = text
            .parse()
            .map_err(|error| format!("`{text}` is no URL: {error}"))?;
        let here = url.host_str().is_some_and(is_here);
        let fits = (url.scheme() == "https" || (url.scheme() == "http" && here))
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let told = || format!("`{text}` must begin with https:// and have no query");
        fits.then_some(url).ok_or_else(told)
    })
}

fn texts(reader: Reader<'_>, node: Option<&Node>) -> Vec<String> {
    let nodes = node.map_or(&[][..], |node| reader.list(node));
    let texts = nodes.iter().filter_map(|node| reader.text(node));
    texts.map(str::to_owned).collect()
}

fn domains(reader: Reader<'_>, node: Option<&Node>) -> Vec<String> {
    let nodes = node.map_or(&[][..], |node| reader.list(node));
    let read = |node| reader.parsed(node, "a domain", domain);
    nodes.iter().filter_map(read).collect()
}

fn domain(text: &str) -> Result<String, String> {
    let domain = text.to_lowercase();
    let is_label = |part: &str| !part.is_empty() && part.bytes().all(is_of_domain);
    let fits = domain.contains('.') && domain.split('.').all(is_label);
    let told = || format!("`{text}` is no domain, such as `example.com`");
    fits.then_some(domain).ok_or_else(told)
}

const fn is_of_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

pub(super) fn grants(reader: Reader<'_>, fields: &Fields<'_>) -> Vec<GroupRole> {
    let default = fields
        .get("default_role")
        .and_then(|node| reader.text(node))
        .map(|role| GroupRole {
            group: None,
            role: role.to_owned(),
            project: None,
        });
    let mapping = fields.get("group_role_mapping");
    let mapping = mapping.map_or(&[][..], |node| reader.list(node));
    let mapped = mapping.iter().filter_map(|node| mapped(reader, node));
    default.into_iter().chain(mapped).collect()
}

fn mapped(reader: Reader<'_>, node: &Node) -> Option<GroupRole> {
    let fields = reader.fields(node, &["group", "role", "project"])?;
    let text = |key| {
        let node = fields.required(key)?;
        reader.text(node).map(str::to_owned)
    };
    let (group, role) = (text("group"), text("role"));
    if role.as_deref() == Some("owner") {
        let problem = "a project has one owner, whom no group makes";
        reader.report(fields.key_place("role"), problem);
    }
    let project = fields
        .get("project")
        .map(|node| reader.of_type(node, "the short name of a project"));
    Some(GroupRole {
        group: Some(group?),
        role: role?,
        project: match project {
            Some(read) => Some(read?),
            None => None,
        },
    })
}
