//! Credentials by id: from memory, else from the database.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::cache::{CredentialCache, Entry, Held};
use crate::clock::Clock;
use crate::store::StoreError;

/// Look-ups of unknown credentials under way at once: a flood of invented ones must not
/// take all of the database's connections.
const CONCURRENT_LOOKUPS: usize = 4;
/// How soon a renewal that failed is tried again.
const RENEWAL_RETRY_SECONDS: i64 = 5;
/// How long the look-up of an unknown credential may take, waiting for its turn included.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Where credentials of a kind are stored.
pub(super) trait Stored: Clone + Debug + Send + Sync + 'static {
    type Id: Clone + Debug + Eq + Hash + Display + Send + Sync + 'static;
    type Value: Debug + Send + Sync + 'static;

    /// What the database says now.
    fn load(
        &self,
        id: &Self::Id,
    ) -> impl Future<Output = Result<Option<Self::Value>, StoreError>> + Send;
}

/// See the module.
#[derive(Debug)]
pub(super) struct Finder<S: Stored> {
    loader: Loader<S>,
    /// The runtime that owns the database connections: they must not depend on a
    /// thread of the data plane.
    runtime: Handle,
    lookups: Arc<Semaphore>,
    hits: IntCounter,
    misses: IntCounter,
}

/// From the database into the cache.
#[derive(Debug)]
struct Loader<S: Stored> {
    stored: S,
    cache: Arc<CredentialCache<S::Id, S::Value>>,
    clock: Clock,
}

impl<S: Stored> Clone for Loader<S> {
    fn clone(&self) -> Self {
        Self {
            stored: self.stored.clone(),
            cache: Arc::clone(&self.cache),
            clock: self.clock.clone(),
        }
    }
}

impl<S: Stored> Loader<S> {
    /// What the database says now; the cache has it too, unless it changed meanwhile.
    async fn load(&self, id: &S::Id) -> Result<Entry<S::Value>, StoreError> {
        let epoch = self.cache.epoch();
        let asked = self.clock.now().timestamp();
        let entry = match self.stored.load(id).await? {
            Some(value) => Entry::Found(Arc::new(Held::new(value))),
            None => Entry::Missing,
        };
        self.cache.fill(epoch, id, entry.clone(), asked);
        Ok(entry)
    }
}

impl<S: Stored> Finder<S> {
    /// # Panics
    ///
    /// Outside a runtime: the current one is where the database is asked.
    pub(super) fn new(
        stored: S,
        cache: Arc<CredentialCache<S::Id, S::Value>>,
        clock: Clock,
        (hits, misses): (IntCounter, IntCounter),
    ) -> Self {
        Self {
            loader: Loader {
                stored,
                cache,
                clock,
            },
            runtime: Handle::current(),
            lookups: Arc::new(Semaphore::new(CONCURRENT_LOOKUPS)),
            hits,
            misses,
        }
    }

    pub(super) const fn cache(&self) -> &Arc<CredentialCache<S::Id, S::Value>> {
        &self.loader.cache
    }

    /// What is known of it, from memory if that has it.
    pub(super) async fn find(&self, id: &S::Id) -> Result<Entry<S::Value>, StoreError> {
        if let Some(entry) = self.loader.cache.get(id) {
            self.hits.inc();
            self.renew(id, &entry);
            return Ok(entry);
        }
        self.misses.inc();
        self.look_up(id, true).await
    }

    /// What the database says now.
    pub(super) async fn ask(&self, id: &S::Id) -> Result<Entry<S::Value>, StoreError> {
        self.look_up(id, false).await
    }

    /// One who waited for a turn may find it `known` meanwhile.
    ///
    /// A database that hangs must not make every unknown credential wait for the one before.
    async fn look_up(&self, id: &S::Id, known: bool) -> Result<Entry<S::Value>, StoreError> {
        let (loader, lookups, id) = (self.loader.clone(), Arc::clone(&self.lookups), id.clone());
        let asked = self.runtime.spawn(async move {
            let _turn = lookups.acquire().await;
            match loader.cache.get(&id).filter(|_| known) {
                Some(entry) => Ok(entry),
                None => loader.load(&id).await,
            }
        });
        match tokio::time::timeout(LOOKUP_TIMEOUT, asked).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => Err(StoreError::Unavailable(error.to_string())),
            Err(_) => Err(StoreError::Unavailable("no answer in time".to_owned())),
        }
    }

    /// Asks anew in the background for one whose entry is halfway to its end.
    fn renew(&self, id: &S::Id, entry: &Entry<S::Value>) {
        let now = self.loader.clock.now().timestamp();
        if let Entry::Found(held) = entry
            && held.claim_renewal(now, RENEWAL_RETRY_SECONDS)
        {
            let (loader, id) = (self.loader.clone(), id.clone());
            self.runtime.spawn(async move {
                if let Err(error) = loader.load(&id).await {
                    tracing::debug!(%error, credential = %id, "it cannot be renewed yet");
                }
            });
        }
    }
}
