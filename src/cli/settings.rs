//! What the admin commands read of the configuration.

use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::{CliError, Global, check};
use crate::config::{BuiltIn, Essentials};
use crate::domain::Permission;
use crate::store::DatabaseUrl;

/// Where the database is, and which permissions are added.
///
/// # Errors
///
/// [`CliError::Config`]; what is wrong has been printed. A file that is missing is no
/// mistake unless it was named.
pub(super) fn read(global: &Global) -> Result<Essentials, CliError> {
    if !global.names_config() && !global.config().exists() {
        return Ok(Essentials {
            data_dir: PathBuf::from("portcullis-data"),
            database: None,
            permissions: Vec::new(),
        });
    }
    let loaded = Essentials::load(global.config(), &check::environment);
    loaded.map_err(|diagnostics| check::refuse(&diagnostics, global.json()))
}

/// What comes with the gateway.
pub(super) fn built_in(added: &[Permission]) -> Result<BuiltIn, CliError> {
    BuiltIn::with(added.to_vec()).map_err(|diagnostics| check::refuse(&diagnostics, false))
}

/// `database.url`.
pub(super) fn url(essentials: &Essentials) -> Result<Option<DatabaseUrl>, CliError> {
    let url = essentials.database.as_ref().map(|database| &database.url);
    url.map(|url| parsed("database.url", url.expose_secret()))
        .transpose()
}

/// `database.migrate_url`.
pub(super) fn migrate_url(essentials: &Essentials) -> Result<Option<DatabaseUrl>, CliError> {
    let database = essentials.database.as_ref();
    let url = database.and_then(|database| database.migrate_url.as_ref());
    url.map(|url| parsed("database.migrate_url", url.expose_secret()))
        .transpose()
}

fn parsed(key: &str, url: &str) -> Result<DatabaseUrl, CliError> {
    url.parse()
        .map_err(|error| CliError::Config(format!("{key}: {error}")))
}
