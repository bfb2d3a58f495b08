//! The current role table, swapped whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use crate::clock::Clock;
use crate::domain::{Catalogue, PolicyRows};
use crate::policy::RoleTable;
use crate::store::{Db, StoreError};

/// Holds the role table and knows how old its truth is.
#[derive(Debug)]
pub struct RoleTables {
    db: Db,
    catalogue: ArcSwap<Catalogue>,
    current: ArcSwap<RoleTable>,
    /// One reload at a time, so that none replaces the table by an older one.
    reload: tokio::sync::Mutex<()>,
    clock: Clock,
    origin: Instant,
    /// Milliseconds after `origin` at which the database last confirmed the table,
    /// plus one; 0 is never.
    confirmed: AtomicU64,
    max_staleness: Duration,
}

impl RoleTables {
    /// An empty table that has never been confirmed: it admits nobody.
    #[must_use]
    pub fn new(db: Db, catalogue: Catalogue, clock: Clock, max_staleness: Duration) -> Self {
        let origin = clock.instant();
        Self {
            db,
            catalogue: Arc::new(catalogue).into(),
            current: ArcSwap::default(),
            reload: tokio::sync::Mutex::new(()),
            clock,
            origin,
            confirmed: AtomicU64::new(0),
            max_staleness,
        }
    }

    /// Every permission that exists.
    #[must_use]
    pub fn catalogue(&self) -> Guard<Arc<Catalogue>> {
        self.catalogue.load()
    }

    /// The table as of now.
    #[must_use]
    pub fn current(&self) -> Guard<Arc<RoleTable>> {
        self.current.load()
    }

    /// Whether the table is too old to be believed, or was never loaded.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        match self.confirmed.load(Ordering::Acquire) {
            0 => true,
            at => {
                let age = self.since_origin().saturating_sub(at - 1);
                u128::from(age) > self.max_staleness.as_millis()
            }
        }
    }

    /// Asks the database for the version and reloads if it moved.
    ///
    /// # Errors
    ///
    /// As the store's; the table then stays as it is and grows older.
    pub async fn poll(&self) -> Result<(), StoreError> {
        let asked = self.since_origin();
        let version = self.db.policy_version().await?;
        if self.is_loaded() && version == self.current().version() {
            self.confirm(asked);
            return Ok(());
        }
        self.reload().await
    }

    /// Loads the table anew.
    ///
    /// # Errors
    ///
    /// As the store's; the table then stays as it is.
    pub async fn reload(&self) -> Result<(), StoreError> {
        let _one = self.reload.lock().await;
        let asked = self.since_origin();
        let rows = self.db.load_policy().await?;
        self.install(rows);
        self.confirm(asked);
        Ok(())
    }

    /// Adds permissions to those that exist, and builds the table anew if there are any;
    /// returns whether there were. None is taken away: requests that began under rules
    /// which ask for it still find it granted, and later rules cannot ask for it.
    ///
    /// # Errors
    ///
    /// As the store's; then nothing has changed.
    pub async fn add(&self, permissions: &Catalogue) -> Result<bool, StoreError> {
        let _one = self.reload.lock().await;
        let known = self.catalogue.load_full();
        let wider = known.union(permissions);
        if wider == *known {
            return Ok(false);
        }
        let asked = self.since_origin();
        let rows = self.db.load_policy().await?;
        self.catalogue.store(Arc::new(wider));
        self.install(rows);
        self.confirm(asked);
        Ok(true)
    }

    fn install(&self, rows: PolicyRows) {
        let (table, unknown) = RoleTable::build(rows, &self.catalogue());
        for (role, pattern) in unknown {
            tracing::warn!(role, pattern, "a role names permissions that do not exist");
        }
        self.current.store(Arc::new(table));
    }

    fn is_loaded(&self) -> bool {
        self.confirmed.load(Ordering::Acquire) != 0
    }

    fn confirm(&self, at: u64) {
        self.confirmed.fetch_max(at + 1, Ordering::AcqRel);
    }

    fn since_origin(&self) -> u64 {
        let age = self.clock.instant().duration_since(self.origin);
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX - 1)
    }
}
