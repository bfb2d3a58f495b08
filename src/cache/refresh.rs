//! Follows the database: by notification at once, by polling within seconds.

use std::sync::Arc;
use std::time::Duration;

use super::{KeyCache, RoleTables};
use crate::store::{Change, Changed, Db, StoreError};

/// The task that keeps the caches true.
#[derive(Debug)]
pub struct Refresh {
    /// The database.
    pub db: Db,
    /// The role table.
    pub tables: Arc<RoleTables>,
    /// The keys.
    pub keys: Arc<KeyCache>,
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
        self.keys.invalidate_all();
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
            // The version says nothing of these.
            Changed::Resources(_) => return Ok(()),
            Changed::Everything => self.keys.invalidate_all(),
        }
        self.tables.poll().await
    }

    /// A version that moved without a notification: no cached key can be trusted.
    /// The table itself may have been brought up to date by somebody else meanwhile.
    async fn poll(&self, seen: i64) -> Result<(), StoreError> {
        self.tables.poll().await?;
        if self.version() != seen {
            self.keys.invalidate_all();
        }
        Ok(())
    }

    fn version(&self) -> i64 {
        self.tables.current().version()
    }
}
