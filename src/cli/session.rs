//! What the admin commands share: the database, the author, the output.

use std::future::Future;

use clap::{Args, Subcommand};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::output::Output;
use super::{CliError, Global, check, settings};
use crate::clock::Clock;
use crate::config::{self, Essentials};
use crate::domain::{Actor, Catalogue};
use crate::store::private_postgres::{PrivatePostgres, Urls};
use crate::store::{Author, DatabaseUrl, Db, StoreError};

/// A group of admin commands.
#[derive(Args, Debug)]
pub(super) struct Admin<C: Subcommand> {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: C,
}

#[derive(Args, Debug)]
struct DatabaseArgs {
    /// The database [default: `database.url` of the configuration, else the private Postgres]
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: Option<DatabaseUrl>,
}

/// A group of admin commands that runs in a session.
pub(super) trait Run {
    async fn run(self, session: &mut Session) -> Result<(), CliError>;
}

/// What an admin command works with.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) db: Db,
    pub(super) author: Author,
    pub(super) clock: Clock,
    pub(super) output: Output,
    essentials: Essentials,
    config: std::path::PathBuf,
}

impl<C: Subcommand + Run> Admin<C> {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        block_on(async {
            let mut session = Session::open(global, self.database.database_url).await?;
            self.command.run(&mut session).await
        })
    }
}

impl Session {
    async fn open(global: &Global, url: Option<DatabaseUrl>) -> Result<Self, CliError> {
        let clock = Clock::system();
        Ok(Self {
            db: connect(global, url).await?,
            author: operator(&clock),
            clock,
            output: Output {
                json: global.json(),
            },
            essentials: settings::read(global)?,
            config: global.config().to_owned(),
        })
    }

    /// The whole configuration, where there is one without a mistake in it.
    pub(super) fn configuration(&self) -> Option<config::Settings> {
        config::Settings::load(&self.config, &check::environment).ok()
    }

    /// The whole configuration.
    pub(super) fn settings(&self) -> Result<config::Settings, CliError> {
        check::load(&self.config, self.output.json)
    }

    /// The whole configuration, where there is a file.
    pub(super) fn settings_if_any(&self) -> Result<Option<config::Settings>, CliError> {
        let there = self.config.exists();
        there.then(|| self.settings()).transpose()
    }

    /// Every permission there is.
    pub(super) fn catalogue(&self) -> Result<Catalogue, CliError> {
        Ok(settings::built_in(&self.essentials.permissions)?.catalogue)
    }
}

/// Connects to the database that was named, or that the configuration names.
pub(super) async fn connect(global: &Global, url: Option<DatabaseUrl>) -> Result<Db, CliError> {
    let url = database_url(global, url)?;
    Db::connect(&url, 1).await.map_err(|error| match error {
        StoreError::UnfitLogin(_) => error.into(),
        _ => CliError::NoDatabase(format!("{url}: {error}\n{WAYS}")),
    })
}

const WAYS: &str = "\
the database is the first of these: --database-url, $DATABASE_URL, `database.url` of the
configuration, the private PostgreSQL under its `data_dir` while that runs";

/// Where the database is that was named, or that the configuration names.
pub(super) fn database_url(
    global: &Global,
    named: Option<DatabaseUrl>,
) -> Result<DatabaseUrl, CliError> {
    database(named, &settings::read(global)?)
}

fn database(named: Option<DatabaseUrl>, essentials: &Essentials) -> Result<DatabaseUrl, CliError> {
    if let Some(url) = named {
        return Ok(url);
    }
    if let Some(url) = settings::url(essentials)? {
        return Ok(url);
    }
    let url = private(essentials, WAYS)?.gateway().parse();
    url.map_err(CliError::failed)
}

/// Changes made on the command line are made by the user of the operating system.
pub(super) fn operator(clock: &Clock) -> Author {
    let actor = Actor {
        kind: "operator",
        id: Some(os_user()),
        email: None,
    };
    Author::new(actor, clock.clone(), StdRng::from_os_rng())
}

/// By the real user id, not by `$USER`, which says what one likes.
fn os_user() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    name.unwrap_or(uid)
}

/// Runs a command on a runtime of its own.
pub(super) fn block_on<T>(
    command: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}

/// The private Postgres under the data directory; else all the ways to name a database.
pub(super) fn private(essentials: &Essentials, ways: &str) -> Result<Urls, CliError> {
    PrivatePostgres::running(&essentials.data_dir)
        .map_err(|error| CliError::NoDatabase(format!("{error}\n{ways}")))
}
