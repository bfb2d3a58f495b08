//! The composition root: puts the planes together, starts and stops them.
//!
//! Two runtimes: the data plane's, whose threads do nothing but requests, and the
//! control runtime, which owns the database connections and all background tasks.

mod data_plane;
mod database;
mod descriptors;
mod desk;
mod doors;
mod listener;
mod notify;
mod parts;
mod reload;
mod running;
mod stop;
mod upgrade;

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use self::database::Database;
use self::desk::Desk;
use self::doors::Doors;
use self::parts::Parts;
use self::stop::Stop;
use self::upgrade::Inherited;
use crate::audit::{Spool, SpoolError, SpoolOptions};
use crate::config::{ConfigFile, Files, Settings};
use crate::proxy::UpstreamError;
use crate::store::private_postgres::PrivatePostgresError;
use crate::store::{MalformedDatabaseUrl, StoreError};
use crate::telemetry::LogLevel;

pub use self::listener::ListenError;
pub use self::upgrade::UpgradeError;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificates of an address cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] openssl::error::ErrorStack),
    /// The private Postgres does not start.
    #[error(transparent)]
    Postgres(#[from] PrivatePostgresError),
    /// `database.url` is no URL of a Postgres.
    #[error("database.url: {0}")]
    Url(#[from] MalformedDatabaseUrl),
    /// The private Postgres cannot be migrated.
    #[error("migrating the private PostgreSQL: {0}")]
    Migrate(StoreError),
    /// The database login is not one to serve with.
    #[error("database.url: {0}")]
    Login(StoreError),
    /// An upstream cannot be set up.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The audit spool cannot be used.
    #[error("audit spool: {0}")]
    Spool(#[from] SpoolError),
    /// The running gateway serves on.
    #[error("upgrade: {0}")]
    Upgrade(#[from] UpgradeError),
    /// A task that must not end did.
    #[error("a background task failed; see the log")]
    Background,
    /// Signals cannot be received, or a runtime cannot be made.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a gateway is started with.
#[derive(Debug)]
pub struct Start {
    /// Its configuration.
    pub settings: Settings,
    /// What that was read from.
    pub files: Files,
    /// Where to read it anew.
    pub config: ConfigFile,
    /// The level of the log, which is part of it.
    pub level: LogLevel,
    /// To take over from the gateway that runs.
    pub upgrade: bool,
}

/// Runs the gateway until a signal ends it.
///
/// # Errors
///
/// [`ServeError`]: before any request was taken, or because a task failed on the way.
pub fn run(start: Start) -> Result<(), ServeError> {
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()?;
    let ran = control.block_on(serve(start));
    control.shutdown_timeout(Duration::from_secs(1));
    ran
}

async fn serve(start: Start) -> Result<(), ServeError> {
    let mut stop = Stop::new()?;
    // Before anything is ready to be reloaded: by default the signal would end us.
    let hangup = signal(SignalKind::hangup())?;
    let Start {
        settings,
        files,
        config,
        level,
        upgrade,
    } = start;
    let source = reload::Source {
        config,
        files,
        level,
        hangup,
    };
    descriptors::raise(&settings.limits);
    let mut tasks = JoinSet::new();
    let (desk, entrance) = if upgrade {
        (Desk::new(join_spool(&settings)?), None)
    } else {
        let doors = Doors::bind(&settings, &mut Inherited::default())?;
        let desk = Desk::new(take_spool(&settings)?);
        let entrance = desk.open(doors, &mut tasks)?;
        (desk, Some(entrance))
    };
    let mut database = tokio::select! {
        database = Database::open(&settings, &desk.clock) => database?,
        () = stop.requested() => return Ok(()),
    };
    let parts = Parts {
        settings,
        db: database.db.clone(),
        desk,
    };
    let served = parts.serve(entrance, &mut database, stop, source, &mut tasks);
    let served = served.await;
    tasks.shutdown().await;
    database.close().await;
    served
}

fn take_spool(settings: &Settings) -> Result<Spool, SpoolError> {
    Spool::open(&settings.data_dir.join("spool"), spool_options(settings))
}

/// While the running gateway still has it.
fn join_spool(settings: &Settings) -> Result<Spool, SpoolError> {
    Spool::beside(&settings.data_dir.join("spool"), spool_options(settings))
}

fn spool_options(settings: &Settings) -> SpoolOptions {
    SpoolOptions {
        max_bytes: settings.audit.max_bytes,
        when_full: settings.audit.when_full,
        shards: data_plane::workers(settings),
        ..SpoolOptions::default()
    }
}
