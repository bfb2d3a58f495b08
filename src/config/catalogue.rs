//! Permissions and built-in roles.

use super::node::Node;
use super::reader::{Fields, Reader};
use crate::domain::{BuiltInRole, Catalogue, Permission, RoleScope};

/// The scopes by their words.
pub(super) const SCOPES: [(&str, RoleScope); 3] = [
    ("platform", RoleScope::Platform),
    ("tenant", RoleScope::Tenant),
    ("project", RoleScope::Project),
];

/// `permissions:`, `{ widgets: [read, create] }`.
pub(super) fn permissions(reader: Reader<'_>, parent: &Fields<'_>) -> Vec<Permission> {
    let Some(node) = parent.get("permissions") else {
        return Vec::new();
    };
    let mut permissions = Vec::new();
    for (resource, _, actions) in reader.entries(node) {
        for action in reader.list(actions) {
            permissions.extend(reader.parsed(action, "an action", |action| {
                format!("{resource}:{action}").parse::<Permission>()
            }));
        }
    }
    permissions
}

/// `roles:` of the file of built-in roles.
pub(super) fn roles(
    reader: Reader<'_>,
    parent: &Fields<'_>,
    catalogue: &Catalogue,
) -> Vec<BuiltInRole> {
    let Some(node) = parent.required("roles") else {
        return Vec::new();
    };
    let items = reader.list(node).iter();
    items
        .filter_map(|item| role(reader, item, catalogue))
        .collect()
}

fn role(reader: Reader<'_>, node: &Node, catalogue: &Catalogue) -> Option<BuiltInRole> {
    let fields = reader.fields(node, &["name", "scope", "permissions"])?;
    let name = fields.required("name").and_then(|node| reader.text(node));
    let scope = fields.required("scope");
    let scope = scope.and_then(|node| reader.choice(node, &SCOPES));
    let permissions = fields.required("permissions")?;
    let patterns = reader.list(permissions).iter();
    let patterns: Option<Vec<String>> = patterns
        .map(|node| {
            reader.parsed(node, "a permission", |pattern| {
                let (_, unknown) = catalogue.expand([pattern]);
                let known = unknown.is_empty().then(|| pattern.to_owned());
                known.ok_or_else(|| format!("`{pattern}` matches no permission"))
            })
        })
        .collect();
    Some(BuiltInRole {
        name: name?.to_owned(),
        scope: scope?,
        permissions: patterns?,
    })
}
