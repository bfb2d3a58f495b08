//! `portcullis migrate`.

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::session::{block_on, operator, private};
use super::{CliError, Global, settings};
use crate::clock::Clock;
use crate::config::Essentials;
use crate::store::{DatabaseUrl, Migrated, migrate};

const EXAMPLE: &str = "\
Example: portcullis migrate --url postgresql://portcullis_owner@db.internal/portcullis";

/// Bring the database's schema and the built-in roles up to date
///
/// Connects as the owner of the database, while the running gateway and the admin
/// commands use a role with fewer rights. Running it again, or from several places at
/// once, does no harm. Migrations only go forward: see migrations/README.md. The
/// configuration is read for the permissions that it adds to the built-in roles.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct MigrateArgs {
    /// The database, as its owner [default: `database.migrate_url` of the configuration,
    /// else `$DATABASE_URL`, else `database.url`, else the private Postgres]
    #[arg(
        long,
        env = "PORTCULLIS_MIGRATE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    url: Option<DatabaseUrl>,
}

impl MigrateArgs {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let essentials = settings::read(global)?;
        let url = owner_url(self.url, &essentials)?;
        let mut author = operator(&Clock::system());
        let roles = settings::built_in(&essentials.permissions)?.roles;
        let migrated = block_on(async { Ok(migrate(&url, &mut author, &roles).await?) })?;
        let output = Output {
            json: global.json(),
        };
        output.done(&json!(migrated), &text(&migrated))?;
        Ok(())
    }
}

const WAYS: &str = "\
the database is the first of these: --url or $PORTCULLIS_MIGRATE_URL,
`database.migrate_url` of the configuration, $DATABASE_URL, `database.url`, the private
PostgreSQL under `data_dir` while that runs";

fn owner_url(named: Option<DatabaseUrl>, essentials: &Essentials) -> Result<DatabaseUrl, CliError> {
    if let Some(url) = named {
        return Ok(url);
    }
    if let Some(url) = settings::migrate_url(essentials)? {
        return Ok(url);
    }
    match std::env::var("DATABASE_URL") {
        Ok(text) if !text.is_empty() => text.parse().map_err(CliError::failed),
        _ => match settings::url(essentials)? {
            Some(url) => Ok(url),
            None => private(essentials, WAYS)?
                .owner()
                .parse()
                .map_err(CliError::failed),
        },
    }
}

fn text(migrated: &Migrated) -> String {
    let list = |what: &str, names: &[String]| {
        (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
    };
    let parts: Vec<String> = [
        list("applied", &migrated.applied),
        list("built-in roles written", &migrated.roles_written),
        list("built-in roles removed", &migrated.roles_removed),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        return "up to date".to_owned();
    }
    parts.join("; ")
}
