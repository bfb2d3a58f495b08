//! `servers`: where the paths begin.

use http::Uri;

use super::super::node::Node;

/// What the servers of a document say.
pub(super) struct Servers<'a> {
    /// What goes before every path, whatever the servers say.
    fixed: Option<&'a str>,
    /// Before the paths that have no servers of their own.
    base: String,
    pub authority: Option<String>,
    /// Base paths of further servers.
    pub others: Vec<String>,
}

impl<'a> Servers<'a> {
    pub fn read(root: &Node, fixed: Option<&'a str>) -> Self {
        let urls = urls(root);
        let bases: Vec<String> = urls.iter().map(|url| base_path(url)).collect();
        let base = bases.first().cloned().unwrap_or_default();
        let mut others = bases;
        others.retain(|other| *other != base);
        others.dedup();
        Self {
            fixed,
            authority: urls.first().and_then(|url| authority(url)),
            others: if fixed.is_some() { Vec::new() } else { others },
            base,
        }
    }

    /// What goes before the path of an operation: its own server's base path, else that of
    /// its path, else that of the document.
    pub fn base(&self, path_item: &Node, operation: &Node) -> String {
        if let Some(fixed) = self.fixed {
            return fixed.trim_end_matches('/').to_owned();
        }
        let own = [operation, path_item].map(|node| urls(node).into_iter().next());
        let own = own.into_iter().flatten().next();
        own.map_or_else(|| self.base.clone(), |url| base_path(&url))
    }
}

/// The URLs, each `{variable}` replaced by its default.
fn urls(node: &Node) -> Vec<String> {
    let servers = node.get("servers").map_or(&[][..], Node::items);
    servers.iter().filter_map(url).collect()
}

fn url(server: &Node) -> Option<String> {
    let mut url = server.get("url")?.text()?.to_owned();
    let variables = server.get("variables").map_or(&[][..], Node::pairs);
    for (name, variable) in variables {
        if let (Some(name), Some(default)) = (name.text(), variable.get("default")) {
            let default = default.text().unwrap_or_default();
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    Some(url)
}

/// `/v1` of `https://host/v1/`, `/v1/` and `v1`.
fn base_path(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.trim_matches('/');
    if path.is_empty() || path == "." {
        return String::new();
    }
    format!("/{path}")
}

fn authority(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri
        .scheme_str()
        .filter(|s| matches!(*s, "http" | "https"))?;
    let authority = uri.authority()?.as_str();
    let plain = !authority.contains('@');
    plain.then(|| format!("{scheme}://{authority}"))
}
