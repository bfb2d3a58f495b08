//! Follows the database: by notification at once, by polling within seconds.

use std::sync::Arc;
use std::time::Duration;

use super::{KeyCache, OwnerCache, RevokedTokens, RoleTables, SessionCache};
use crate::domain::TouchedRows;
use crate::store::{Change, ChangeListener, Changed, Db, StoreError, TouchedResources};

/// The task that keeps the caches true.
#[derive(Debug)]
pub struct Refresh {
    /// The database.
    pub db: Db,
    /// The role table.
    pub tables: Arc<RoleTables>,
    /// The keys.
    pub keys: Arc<KeyCache>,
    /// The sessions.
    pub sessions: Arc<SessionCache>,
    /// The access tokens that were revoked.
    pub tokens: Arc<RevokedTokens>,
    /// The owners.
    pub owners: Arc<OwnerCache>,
    /// How often the version is asked, in case a notification was lost.
    pub poll: Duration,
}

impl Refresh {
    /// Runs for ever.
    pub async fn run(&self) -> ! {
        // The table that it begins with was loaded a moment ago.
        let mut lost = false;
        loop {
            if let Err(error) = self.follow(lost).await {
                tracing::warn!(%error, "the database is away; the caches go on with what they have");
            }
            lost = true;
            tokio::time::sleep(self.poll).await;
        }
    }

    /// Listens until the connection breaks. After one that did, the database may be another
    /// one, with other contents under the same version.
    async fn follow(&self, lost: bool) -> Result<(), StoreError> {
        let mut listener = self.db.listen().await?;
        // What was notified while nobody listened is unknown.
        self.forget_all();
        if lost {
            self.tables.reload().await?;
        } else {
            self.tables.catch_up().await?;
        }
        let mut seen = self.version();
        let mut ticks = tokio::time::interval(self.poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                change = listener.next() => self.apply(&change?).await?,
                _ = ticks.tick() => self.poll(&mut listener, seen).await?,
            }
            seen = self.version();
        }
    }

    async fn apply(&self, change: &Change) -> Result<(), StoreError> {
        match &change.what {
            Changed::Keys(ids) => {
                for id in ids {
                    self.keys.invalidate(id);
                }
                self.change_table(change.version, &TouchedRows::Others)
                    .await
            }
            Changed::Sessions(ids) => {
                for id in ids {
                    self.sessions.invalidate(id);
                }
                self.change_table(change.version, &TouchedRows::Others)
                    .await
            }
            Changed::Tokens(ids) => {
                for id in ids {
                    self.tokens.invalidate(id);
                }
                self.change_table(change.version, &TouchedRows::Others)
                    .await
            }
            Changed::Policy(touched) => self.change_table(change.version, touched).await,
            // The version says nothing of these.
            Changed::Resources(touched) => {
                self.forget(touched);
                Ok(())
            }
            Changed::Everything => {
                self.forget_all();
                self.tables.catch_up().await
            }
        }
    }

    async fn change_table(
        &self,
        version: Option<i64>,
        touched: &TouchedRows,
    ) -> Result<(), StoreError> {
        match version {
            Some(version) => self.tables.change(version, touched).await,
            None => self.tables.catch_up().await,
        }
    }

    /// A version that moved without a notification: no cached credential can be trusted.
    /// The table itself may have been brought up to date by somebody else meanwhile.
    async fn poll(&self, listener: &mut ChangeListener, seen: i64) -> Result<(), StoreError> {
        let Some(version) = self.tables.newer_version().await? else {
            if self.version() != seen {
                self.forget_all();
            }
            return Ok(());
        };
        // Its notification may be on the way.
        let heard = tokio::time::timeout(self.tables.grace(), async {
            while self.version() < version {
                self.apply(&listener.next().await?).await?;
            }
            Ok::<_, StoreError>(())
        });
        if let Ok(followed) = heard.await {
            return followed;
        }
        self.forget_all();
        self.tables.catch_up().await
    }

    fn forget(&self, touched: &TouchedResources) {
        match touched {
            TouchedResources::These(keys) => {
                for key in keys {
                    self.owners.invalidate(key);
                }
            }
            TouchedResources::OfType { .. } | TouchedResources::Any => {
                self.owners.invalidate_all();
            }
        }
    }

    /// What was notified meanwhile is unknown.
    fn forget_all(&self) {
        self.keys.invalidate_all();
        self.sessions.invalidate_all();
        self.tokens.invalidate_all();
        self.owners.invalidate_all();
    }

    fn version(&self) -> i64 {
        self.tables.current().version()
    }
}
