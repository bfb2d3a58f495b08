//! The catalogue and the roles that are compiled in.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::CliError;
use crate::domain::{Catalogue, MalformedPermission, Permission, RoleScope};
use crate::store::BuiltInRole;

const YAML: &str = include_str!("../../config/roles.yaml");

/// Resource → actions, as in `config/roles.yaml` and under `permissions:`.
pub(super) type Permissions = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
struct File {
    permissions: Permissions,
    roles: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    scope: RoleScope,
    permissions: Vec<String>,
}

fn file() -> Result<File, CliError> {
    serde_saphyr::from_str(YAML).map_err(CliError::failed)
}

/// The roles that ship with Portcullis.
pub(super) fn roles() -> Result<Vec<BuiltInRole>, CliError> {
    let roles = file()?.roles.into_iter().map(|entry| BuiltInRole {
        name: entry.name,
        scope: entry.scope,
        permissions: entry.permissions,
    });
    Ok(roles.collect())
}

/// Every permission there is, with those that the configuration adds.
pub(super) fn catalogue(added: &Permissions) -> Result<Catalogue, CliError> {
    let file = file()?;
    let all: Result<Vec<Permission>, MalformedPermission> = file
        .permissions
        .iter()
        .chain(added)
        .flat_map(|(resource, actions)| {
            let text = move |action| format!("{resource}:{action}");
            actions.iter().map(text)
        })
        .map(|text| text.parse())
        .collect();
    let all = all.map_err(|error| CliError::Config(error.to_string()))?;
    Ok(Catalogue::new(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_a_built_in_role_stands_for_something() {
        let catalogue = catalogue(&Permissions::new()).unwrap();
        for role in roles().unwrap() {
            let (_, unknown) = catalogue.expand(role.permissions.iter().map(String::as_str));
            assert!(unknown.is_empty(), "{}: {unknown:?}", role.name);
        }
    }

    #[test]
    fn the_configuration_adds_permissions() {
        let added = Permissions::from([("widgets".to_owned(), vec!["read".to_owned()])]);
        let widgets: Permission = "widgets:read".parse().unwrap();
        assert!(catalogue(&added).unwrap().index(&widgets).is_some());
    }
}
