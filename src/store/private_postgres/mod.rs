//! A Postgres of our own: the embedded default when no database is configured.
//!
//! It runs the installed Postgres programs on a data directory of its own, listens on
//! a Unix socket in a private directory and nowhere else, and never touches the
//! machine's own cluster. Everything lives under `<data_dir>/postgres/`: `data/` (the
//! cluster), `run/` (the socket), `postgres.log`, and `lock`, which says who supervises.
//!
//! - Postgres refuses to run as root. When we are root it runs as the user `postgres`,
//!   else as `nobody`; see [`RunAs`].
//! - It is a child in a process group of its own, so that a Ctrl-C meant for us leaves
//!   it running until our last write is done. It is not tied to our life by the kernel:
//!   after a `kill -9` of the gateway it runs on, and the next start adopts it.
//! - A second process on the same data directory finds the lock taken and becomes a
//!   guest: it uses the server and leaves stopping it to the supervisor. A gateway that
//!   takes over from another begins so, and inherits the lock.
//!
//! The crate `postgresql_embedded` was considered: it brings a download stack along and
//! cannot run as root.

mod bootstrap;
mod cluster;
mod installation;
mod run_as;
mod server;
mod supervisor;
mod urls;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use cluster::Cluster;
pub use installation::Installation;
pub use run_as::RunAs;
use supervisor::Supervisor;
pub use urls::Urls;

/// How long a start may take: replaying the log after a crash can be slow.
const START_DEADLINE: Duration = Duration::from_mins(2);

/// Why the private Postgres does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivatePostgresError {
    /// No programs found.
    #[error(
        "no PostgreSQL {wanted} programs found in $PORTCULLIS_PG_BIN, /usr/lib/postgresql/*/bin, \
         /usr/pgsql-*/bin or $PATH: install PostgreSQL or configure `database.url`"
    )]
    NotInstalled {
        /// The version looked for, in words.
        wanted: String,
    },
    /// A file operation failed.
    #[error("{path}: {source}")]
    Io {
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: String,
        /// What it said.
        output: String,
    },
    /// The directory for the socket belongs to somebody else.
    #[error("{0} is not a directory that only the database's user can enter")]
    UnsafeSocketDirectory(PathBuf),
    /// The server ended while starting.
    #[error("PostgreSQL ended while starting; its log is {0}")]
    Ended(PathBuf),
    /// The server did not answer in time.
    #[error("PostgreSQL did not answer in time; its log is {0}")]
    Slow(PathBuf),
    /// No server runs on this data directory.
    #[error(
        "no private PostgreSQL runs under {0}: start `portcullis serve` or `portcullis postgres`"
    )]
    NotRunning(PathBuf),
    /// Roles or database could not be made.
    #[error("preparing the private PostgreSQL: {0}")]
    Bootstrap(#[from] sqlx::Error),
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PrivatePostgresError + '_ {
    |source| PrivatePostgresError::Io {
        path: path.to_owned(),
        source,
    }
}

/// A running private Postgres, supervised by us unless another process does.
#[derive(Debug)]
pub struct PrivatePostgres {
    urls: Urls,
    role: Role,
}

#[derive(Debug)]
enum Role {
    /// Holds the lock for as long as it supervises.
    Supervisor(Supervisor, File),
    Guest,
}

impl PrivatePostgres {
    /// Starts the server under `data_dir`, adopts the one that a killed process left
    /// behind, or joins the one that another process supervises. Returns when it
    /// answers and has its roles and its database.
    ///
    /// # Errors
    ///
    /// When there is nothing installed, or it cannot be made or started.
    pub async fn start(data_dir: &Path) -> Result<Self, PrivatePostgresError> {
        let cluster = Cluster::locate(data_dir)?;
        let lock = cluster.lock_file()?;
        match lock.try_lock() {
            Ok(()) => Self::supervise(cluster, lock).await,
            Err(TryLockError::WouldBlock) => Self::join(data_dir).await,
            Err(TryLockError::Error(source)) => Err(io_error(data_dir)(source)),
        }
    }

    /// The addresses of the server that runs under `data_dir`, whoever supervises it.
    ///
    /// # Errors
    ///
    /// When none runs.
    pub fn running(data_dir: &Path) -> Result<Urls, PrivatePostgresError> {
        cluster::running_under(data_dir)
            .map(|running| Urls::new(&running.socket_dir))
            .ok_or_else(|| PrivatePostgresError::NotRunning(data_dir.to_owned()))
    }

    async fn supervise(cluster: Cluster, lock: File) -> Result<Self, PrivatePostgresError> {
        cluster.initialise()?;
        let server = cluster.start_or_adopt().await?;
        let urls = Urls::new(server.socket_dir());
        bootstrap::bootstrap(&urls).await?;
        Ok(Self {
            urls,
            role: Role::Supervisor(Supervisor::spawn(cluster, server), lock),
        })
    }

    async fn join(data_dir: &Path) -> Result<Self, PrivatePostgresError> {
        let urls = tokio::time::timeout(START_DEADLINE, async {
            loop {
                if let Ok(urls) = Self::running(data_dir)
                    && bootstrap::is_bootstrapped(&urls).await
                {
                    break urls;
                }
                tokio::time::sleep(server::POLL).await;
            }
        });
        Ok(Self {
            urls: urls
                .await
                .map_err(|_| PrivatePostgresError::Slow(cluster::log_path(data_dir)))?,
            role: Role::Guest,
        })
    }

    /// Where it is reached.
    #[must_use]
    pub const fn urls(&self) -> &Urls {
        &self.urls
    }

    /// As the owner of the schema, for migrations.
    #[must_use]
    pub fn owner_url(&self) -> String {
        self.urls.owner()
    }

    /// As the gateway, with the grants of `portcullis_gateway` only.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        self.urls.gateway()
    }

    /// A copy of the supervisor's lock, for a successor; `None` if it is not ours.
    ///
    /// # Errors
    ///
    /// When the process has no more file descriptors.
    pub fn share_lock(&self) -> io::Result<Option<File>> {
        match &self.role {
            Role::Supervisor(_, lock) => lock.try_clone().map(Some),
            Role::Guest => Ok(None),
        }
    }

    /// Lets the server run on, for a successor that has the lock.
    pub async fn leave(self) {
        if let Role::Supervisor(supervisor, _lock) = self.role {
            supervisor.leave().await;
        }
    }

    /// Supervises the server that it was a guest of, by the lock that was handed over,
    /// or by taking it if nobody has it any more.
    ///
    /// # Errors
    ///
    /// When the server has ended meanwhile and does not start.
    pub async fn inherit(
        &mut self,
        data_dir: &Path,
        lock: Option<File>,
    ) -> Result<(), PrivatePostgresError> {
        if let Role::Supervisor(..) = self.role {
            return Ok(());
        }
        let cluster = Cluster::locate(data_dir)?;
        let lock = if let Some(lock) = lock {
            lock
        } else {
            let lock = cluster.lock_file()?;
            match lock.try_lock() {
                Ok(()) => lock,
                Err(TryLockError::WouldBlock) => return Ok(()),
                Err(TryLockError::Error(source)) => return Err(io_error(data_dir)(source)),
            }
        };
        let server = cluster.start_or_adopt().await?;
        self.role = Role::Supervisor(Supervisor::spawn(cluster, server), lock);
        Ok(())
    }

    /// Stops the server, if it is ours to stop, and waits until it has ended.
    pub async fn stop(self) {
        if let Role::Supervisor(supervisor, _lock) = self.role {
            supervisor.stop().await;
        }
    }
}
