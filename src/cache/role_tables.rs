//! The current role table: brought up to date by single changes, or loaded anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::domain::{Catalogue, PolicyRows, TouchedRows};
use crate::policy::RoleTable;
use crate::store::{Db, StoreError};

/// How long a version that moved may stay unexplained: notifications come within some
/// milliseconds.
const GRACE: Duration = Duration::from_millis(100);
/// As much where everything takes long to load, which holds up all changes.
const LONGEST_GRACE: Duration = Duration::from_secs(1);

/// Holds the role table and knows how old its truth is.
#[derive(Debug)]
pub struct RoleTables {
    db: Db,
    catalogue: ArcSwap<Catalogue>,
    current: ArcSwap<RoleTable>,
    /// One reload at a time, so that none replaces the table by an older one.
    reload: tokio::sync::Mutex<()>,
    /// Version of the current table.
    reached: watch::Sender<i64>,
    clock: Clock,
    origin: Instant,
    /// Milliseconds after `origin` at which the database last confirmed the table,
    /// plus one; 0 is never.
    confirmed: AtomicU64,
    max_staleness: Duration,
    /// How long the last load took, in milliseconds.
    load_took: AtomicU64,
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
            reached: watch::Sender::new(0),
            clock,
            origin,
            confirmed: AtomicU64::new(0),
            max_staleness,
            load_took: AtomicU64::new(0),
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

    /// Asks the database for the version; if it moved, gives whoever follows the changes a
    /// moment to bring the table up to it, and reloads if nobody does.
    ///
    /// # Errors
    ///
    /// As the store's; the table then stays as it is and grows older.
    pub async fn poll(&self) -> Result<(), StoreError> {
        let Some(version) = self.newer_version().await? else {
            return Ok(());
        };
        // A load holds up whoever follows the changes.
        drop(self.reload.lock().await);
        let mut reached = self.reached.subscribe();
        let followed = reached.wait_for(|reached| *reached >= version);
        if self.is_loaded() && tokio::time::timeout(self.grace(), followed).await.is_ok() {
            return Ok(());
        }
        self.catch_up().await
    }

    /// The version of the database, unless it is the table's, which is then confirmed.
    pub(super) async fn newer_version(&self) -> Result<Option<i64>, StoreError> {
        let asked = self.since_origin();
        let version = self.db.policy_version().await?;
        if self.is_loaded() && version == self.current().version() {
            self.confirm(asked);
            return Ok(None);
        }
        Ok(Some(version))
    }

    /// Brings the rows of one change into the table. The table is loaded anew where changes
    /// before it are missing.
    ///
    /// A change that the table has already is applied all the same: whoever may connect to
    /// the database may notify, and what was announced falsely must not hide what is true.
    pub(super) async fn change(
        &self,
        version: i64,
        touched: &TouchedRows,
    ) -> Result<(), StoreError> {
        let one = self.reload.lock().await;
        let asked = self.since_origin();
        let rows = self.db.load_touched(touched).await?;
        let found = rows.version;
        if found < version {
            return Ok(());
        }
        let changed = self
            .current()
            .changed(version, touched, rows, &self.catalogue());
        let Some((table, unknown)) = changed.filter(|_| self.is_loaded()) else {
            drop(one);
            return self.catch_up().await;
        };
        let reached = table.version();
        self.put(table, unknown);
        if reached == found {
            self.confirm(asked);
        }
        Ok(())
    }

    /// Loads the table anew, unless somebody else has meanwhile.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        let _one = self.reload.lock().await;
        if self.newer_version().await?.is_none() {
            return Ok(());
        }
        self.load().await
    }

    /// Loads the table anew.
    ///
    /// # Errors
    ///
    /// As the store's; the table then stays as it is.
    pub async fn reload(&self) -> Result<(), StoreError> {
        let _one = self.reload.lock().await;
        self.load().await
    }

    async fn load(&self) -> Result<(), StoreError> {
        let asked = self.since_origin();
        let rows = self.db.load_policy().await?;
        self.install(rows);
        self.confirm(asked);
        let took = self.since_origin().saturating_sub(asked);
        self.load_took.store(took, Ordering::Relaxed);
        Ok(())
    }

    /// How long a version that moved may stay unexplained.
    pub(super) fn grace(&self) -> Duration {
        let took = Duration::from_millis(self.load_took.load(Ordering::Relaxed));
        (took / 4).clamp(GRACE, LONGEST_GRACE)
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
        self.put(table, unknown);
    }

    fn put(&self, table: RoleTable, unknown: Vec<(String, String)>) {
        for (role, pattern) in unknown {
            tracing::warn!(role, pattern, "a role names permissions that do not exist");
        }
        let version = table.version();
        self.current.store(Arc::new(table));
        self.reached.send_replace(version);
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
