//! Permissions and built-in roles.

use super::node::Node;
use super::reader::{Fields, Reader};
use crate::domain::{BuiltInRole, Catalogue, Effect, Permission, PermissionRule, RoleScope};
use crate::policy::Condition;

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
    let fields = reader.fields(node, &["name", "scope", "permissions", "grants", "denies"])?;
    let name = fields.required("name").and_then(|node| reader.text(node));
    let scope = fields.required("scope");
    let scope = scope.and_then(|node| reader.choice(node, &SCOPES));
    let mut permissions = Vec::new();
    match fields.get("permissions") {
        Some(node) => permissions.extend(patterns(reader, node, catalogue)?),
        None if fields.get("grants").is_some() => {}
        None => drop(fields.required("permissions")),
    }
    for (key, effect) in [("grants", Effect::Allow), ("denies", Effect::Deny)] {
        for node in fields.get(key).map_or(&[][..], |node| reader.list(node)) {
            permissions.extend(part(reader, node, effect, catalogue)?);
        }
    }
    Some(BuiltInRole {
        name: name?.to_owned(),
        scope: scope?,
        permissions,
    })
}

/// `{ permissions: [...], when: ... }` as lines of the role.
fn part(
    reader: Reader<'_>,
    node: &Node,
    effect: Effect,
    catalogue: &Catalogue,
) -> Option<Vec<String>> {
    let fields = reader.fields(node, &["permissions", "when"])?;
    let condition = match fields.get("when") {
        Some(node) => Some(
            reader
                .parsed(node, "a condition", Condition::compile)?
                .to_string(),
        ),
        None => None,
    };
    let patterns = patterns(reader, fields.required("permissions")?, catalogue)?;
    let lines = patterns.iter().map(|pattern| {
        let rule = PermissionRule {
            effect,
            pattern,
            condition: condition.as_deref(),
        };
        rule.to_string()
    });
    Some(lines.collect())
}

/// Lines that each match a permission.
pub(super) fn patterns(
    reader: Reader<'_>,
    node: &Node,
    catalogue: &Catalogue,
) -> Option<Vec<String>> {
    let patterns = reader.list(node).iter();
    patterns
        .map(|node| {
            reader.parsed(node, "a permission", |pattern| {
                let (_, unknown) = catalogue.expand([pattern]);
                let known = unknown.is_empty().then(|| pattern.to_owned());
                known.ok_or_else(|| format!("`{pattern}` matches no permission"))
            })
        })
        .collect()
}
