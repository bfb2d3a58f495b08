//! `github:` of a provider.

use url::Url;

use super::{Client, client, texts, url};
use crate::config::node::Node;
use crate::config::reader::Reader;

const KEYS: [&str; 5] = [
    "client_id",
    "client_secret",
    "allowed_organizations",
    "site",
    "api",
];

/// GitHub, or a GitHub Enterprise Server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitHub {
    /// Where people sign in.
    pub site: Url,
    /// Where its API is.
    pub api: Url,
    /// Its name for us, and what proves that we are it.
    pub client: Client,
    /// Whose members are taken; at least one.
    pub organizations: Vec<String>,
}

pub(super) fn read(reader: Reader<'_>, node: &Node) -> Option<GitHub> {
    let fields = reader.fields(node, &KEYS)?;
    let client = client(reader, &fields);
    let place = |key: &str, usual: &str| match fields.get(key) {
        Some(node) => url(reader, node),
        None => usual.parse().ok(),
    };
    let (site, api) = (
        place("site", "https://github.com"),
        place("api", "https://api.github.com"),
    );
    let allowed = fields.required("allowed_organizations");
    let organizations = texts(reader, allowed);
    if let Some(node) = allowed.filter(|_| organizations.is_empty()) {
        let problem = "without an organization everybody with a GitHub account would be let in";
        reader.report(node.place, problem);
    }
    Some(GitHub {
        site: site?,
        api: api?,
        client: client?,
        organizations,
    })
}
