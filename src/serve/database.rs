//! The database of a gateway: the operator's own, or a private one.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::ExposeSecret as _;

use super::ServeError;
use crate::cache::RoleTables;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{Actor, Pepper};
use crate::store::private_postgres::PrivatePostgres;
use crate::store::{Author, DatabaseUrl, Db, StoreError, migrate};

/// How often a database that is away is tried.
const RETRY: Duration = Duration::from_secs(1);
/// Connections to the private Postgres.
const PRIVATE_CONNECTIONS: u32 = 8;

/// A pool, and the server behind it if that is ours.
pub(super) struct Database {
    pub(super) db: Db,
    private: Option<PrivatePostgres>,
}

impl Database {
    /// Opens the pool; a private Postgres is started and migrated first. An
    /// operator's own database need not answer yet.
    pub(super) async fn open(settings: &Settings, clock: &Clock) -> Result<Self, ServeError> {
        if let Some(own) = &settings.database {
            let url: DatabaseUrl = own.url.expose_secret().parse()?;
            return Ok(Self {
                db: Db::open(&url, own.max_connections),
                private: None,
            });
        }
        let postgres = PrivatePostgres::start(&settings.data_dir).await?;
        tracing::info!(data_dir = %settings.data_dir.display(), "private PostgreSQL is up");
        let mut author = Author::new(own_actor(), clock.clone(), StdRng::from_os_rng());
        migrate(&postgres.owner_url().parse()?, &mut author, &settings.roles)
            .await
            .map_err(ServeError::Migrate)?;
        let url: DatabaseUrl = postgres.gateway_url().parse()?;
        Ok(Self {
            db: Db::open(&url, PRIVATE_CONNECTIONS),
            private: Some(postgres),
        })
    }

    /// A copy of the lock of a private Postgres that we supervise.
    pub(super) fn share_lock(&self) -> io::Result<Option<File>> {
        let shared = self.private.as_ref().map(PrivatePostgres::share_lock);
        shared.unwrap_or(Ok(None))
    }

    /// Leaves a private Postgres to a successor.
    pub(super) async fn leave(&mut self) {
        if let Some(postgres) = self.private.take() {
            postgres.leave().await;
        }
    }

    /// Supervises the private Postgres from here on. What it cannot do it says: requests
    /// are served whether or not.
    pub(super) async fn inherit(&mut self, data_dir: &Path, lock: Option<File>) {
        if let Some(postgres) = &mut self.private
            && let Err(error) = postgres.inherit(data_dir, lock).await
        {
            tracing::error!(%error, "the private PostgreSQL is not supervised");
        }
    }

    pub(super) async fn close(self) {
        self.db.close().await;
        if let Some(postgres) = self.private {
            postgres.stop().await;
        }
    }
}

/// Who does what nobody asked for by hand, such as migrating a private Postgres.
pub(super) fn own_actor() -> Actor {
    Actor {
        kind: "operator",
        id: Some("portcullis serve".to_owned()),
        email: None,
    }
}

/// Waits until the database has told who may do what.
///
/// # Errors
///
/// When the login is not fit, which waiting would not change.
pub(super) async fn wait_for(tables: &RoleTables, db: &Db) -> Result<Pepper, StoreError> {
    let mut told = None;
    loop {
        match first_contact(tables, db).await {
            Ok(pepper) => return Ok(pepper),
            Err(error @ StoreError::UnfitLogin(_)) => return Err(error),
            Err(error) => {
                let text = error.to_string();
                if told.as_ref() != Some(&text) {
                    tracing::warn!(%error, "waiting for the database; has `portcullis migrate` been run?");
                    told = Some(text);
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn first_contact(tables: &RoleTables, db: &Db) -> Result<Pepper, StoreError> {
    db.probe().await?;
    let pepper = db.pepper().await?;
    tables.reload().await?;
    Ok(pepper)
}
