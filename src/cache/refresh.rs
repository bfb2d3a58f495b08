//! Follows the database: by notification at once, by polling within seconds.

use std::sync::Arc;
use std::time::Duration;

use super::{KeyCache, OwnerCache, RoleTables};
use crate::store::{Change, Changed, Db, StoreError, TouchedResources};

/// The task that keeps the caches true.
#[derive(Debug)]
pub struct Refresh {
    /// The database.
    pub db: Db,
    /// The role table.
    pub tables: Arc<RoleTables>,
    /// The keys.
    pub keys: Arc<KeyCache>,
    /// The owners.
    pub owners: Arc<OwnerCache>,
    /// How often the version is asked, in case a notification was lost.
    pub poll: Duration,
}

impl Refresh {
    /// Runs for ever.
    pub async fn run(&self) -> ! {
        loop {
            if let Err(error) = self.follow().await {
                tracing::warn!(%error, "the database is away; the caches go on with what they have");
            }
            tokio::time::sleep(self.poll).await;
        }
    }

    /// Listens until the connection breaks.
    async fn follow(&self) -> Result<(), StoreError> {
        let mut listener = self.db.listen().await?;
        // What was notified while nobody listened is unknown.
        self.forget_all();
        self.tables.reload().await?;
        let mut seen = self.version();
        let mut ticks = tokio::time::interval(self.poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                change = listener.next() => self.apply(&change?).await?,
                _ = ticks.tick() => self.poll(seen).await?,
            }
            seen = self.version();
        }
    }

    async fn apply(&self, change: &Change) -> Result<(), StoreError> {
        match &change.what {
            Changed::Keys(ids) => ids.iter().for_each(|id| self.keys.invalidate(id)),
            // The role table has these.
            Changed::Principals(_) | Changed::Policy => {}
            Changed::Resources(touched) => {
                self.forget(touched);
                // The version says nothing of these.
                return Ok(());
            }
            Changed::Everything => self.forget_all(),
        }
        self.tables.poll().await
    }

    /// A version that moved without a notification: no cached key can be trusted.
    /// The table itself may have been brought up to date by somebody else meanwhile.
    async fn poll(&self, seen: i64) -> Result<(), StoreError> {
        self.tables.poll().await?;
        if self.version() != seen {
            self.forget_all();
        }
        Ok(())
    }

    fn forget(&self, touched: &TouchedResources) {
        match touched {
            TouchedResources::These(keys) => {
                keys.iter().for_each(|key| self.owners.invalidate(key));
            }
            TouchedResources::OfType { .. } | TouchedResources::Any => {
                self.owners.invalidate_all();
            }
        }
    }

    /// What was notified meanwhile is unknown.
    fn forget_all(&self) {
        self.keys.invalidate_all();
        self.owners.invalidate_all();
    }

    fn version(&self) -> i64 {
        self.tables.current().version()
    }
}
