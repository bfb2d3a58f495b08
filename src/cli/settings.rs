//! What the admin commands read of the configuration: where the database is.
//!
//! Only these keys, and without the checks of `portcullis check`: a mistake in a route
//! must not keep an operator from revoking a key.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use serde::Deserialize;

use super::builtin::Permissions;
use super::{CliError, Global};
use crate::store::DatabaseUrl;

/// Where the database is, and which permissions there are besides the built-in ones.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Spool and private Postgres.
    pub data_dir: PathBuf,
    database: Database,
    pub(super) permissions: Permissions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Database {
    url: Option<String>,
    migrate_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("portcullis-data"),
            database: Database::default(),
            permissions: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Reads them. Without a file all are at their defaults, unless one was named.
    ///
    /// # Errors
    ///
    /// [`CliError::Config`] when the file is missing though named, or no YAML.
    pub fn read(global: &Global) -> Result<Self, CliError> {
        let path = global.config();
        let invalid = |cause: String| CliError::Config(format!("{}: {cause}", path.display()));
        match std::fs::read_to_string(path) {
            Ok(text) => serde_saphyr::from_str(&text).map_err(|error| invalid(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound && !global.names_config() => {
                Ok(Self::default())
            }
            Err(error) => Err(invalid(error.to_string())),
        }
    }

    /// `database.url`.
    pub(super) fn url(&self) -> Result<Option<DatabaseUrl>, CliError> {
        resolved("database.url", self.database.url.as_deref())
    }

    /// `database.migrate_url`.
    pub(super) fn migrate_url(&self) -> Result<Option<DatabaseUrl>, CliError> {
        resolved("database.migrate_url", self.database.migrate_url.as_deref())
    }
}

fn resolved(key: &str, value: Option<&str>) -> Result<Option<DatabaseUrl>, CliError> {
    let Some(value) = value else { return Ok(None) };
    let invalid = |cause: String| CliError::Config(format!("{key}: {cause}"));
    let text = expand(value).map_err(invalid)?;
    let url: Result<DatabaseUrl, _> = text.parse();
    url.map(Some).map_err(|error| invalid(error.to_string()))
}

/// Replaces `${NAME}` by the variable of the environment.
fn expand(text: &str) -> Result<String, String> {
    let Some((before, rest)) = text.split_once("${") else {
        return Ok(text.to_owned());
    };
    let (name, after) = rest.split_once('}').ok_or("`${` without `}`")?;
    let value = std::env::var(name).map_err(|_| format!("${{{name}}} is not set"))?;
    Ok(format!("{before}{value}{}", expand(after)?))
}
