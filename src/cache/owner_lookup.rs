//! Owners of objects: from memory, else from the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{Known, OwnerCache};
use crate::clock::Clock;
use crate::domain::{Actor, Owner, ProjectId, ResourceKey, TenantId};
use crate::store::{Author, Db, NewResource, StoreError};
use crate::telemetry::Metrics;

/// Look-ups under way at once: a flood of invented ids must not take all of the database's
/// connections.
const CONCURRENT_LOOKUPS: usize = 4;
/// Objects in one look-up.
const CHUNK: usize = 1_000;
/// How soon a renewal that failed is tried again.
const RENEWAL_RETRY_SECONDS: i64 = 5;
/// How long a look-up may take, waiting for its turn included.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a change of the records may take.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Finds owners, and records them.
#[derive(Debug)]
pub struct Owners {
    db: Db,
    cache: Arc<OwnerCache>,
    clock: Clock,
    /// The runtime that owns the database connections.
    runtime: Handle,
    lookups: Arc<Semaphore>,
    hits: IntCounter,
    misses: IntCounter,
}

/// What became of objects, all in one project.
#[derive(Debug)]
pub struct Changes {
    /// By whom.
    pub actor: Actor,
    /// The tenant.
    pub tenant: TenantId,
    /// The project.
    pub project: ProjectId,
    /// Those that were made.
    pub made: Vec<Made>,
    /// Those that are gone.
    pub gone: Vec<ResourceKey>,
}

/// An object that was made.
#[derive(Debug)]
pub struct Made {
    /// What names it.
    pub key: ResourceKey,
    /// What is noted of it.
    pub labels: BTreeMap<String, String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    /// Something that was made is on record as another project's.
    #[error("{0}")]
    Conflict(String),
    /// The database does not do it.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for OwnersError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::Conflict(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// What is known of the objects asked for, and which of them are to be looked up.
#[derive(Default)]
struct Cached {
    owners: Vec<Option<Owner>>,
    /// Places in `owners` of which nothing is known.
    unknown: Vec<usize>,
    stale: Vec<ResourceKey>,
}

impl Owners {
    /// Owners in this database, remembered in this cache.
    ///
    /// # Panics
    ///
    /// Outside a runtime: the current one is where the database is asked.
    #[must_use]
    pub fn new(db: Db, cache: Arc<OwnerCache>, clock: Clock, metrics: &Metrics) -> Self {
        let (hits, misses) = metrics.cache("owners");
        Self {
            db,
            cache,
            clock,
            runtime: Handle::current(),
            lookups: Arc::new(Semaphore::new(CONCURRENT_LOOKUPS)),
            hits,
            misses,
        }
    }

    /// The owners of these objects, in their order; `None` for what nobody owns.
    ///
    /// # Errors
    ///
    /// `Unavailable` if one is not in memory and the database does not answer.
    pub async fn find(&self, objects: &[ResourceKey]) -> Result<Vec<Option<Owner>>, OwnersError> {
        let mut cached = self.cached(objects);
        self.renew(cached.stale);
        self.hits
            .inc_by((objects.len() - cached.unknown.len()) as u64);
        self.misses.inc_by(cached.unknown.len() as u64);
        for places in cached.unknown.chunks(CHUNK) {
            let keys: Vec<_> = places.iter().map(|place| objects[*place].clone()).collect();
            let owners = self.look_up(keys).await?;
            for (place, owner) in places.iter().zip(owners) {
                cached.owners[*place] = owner;
            }
        }
        Ok(cached.owners)
    }

    fn cached(&self, objects: &[ResourceKey]) -> Cached {
        let second = self.clock.now().timestamp();
        let mut cached = Cached::default();
        for (place, key) in objects.iter().enumerate() {
            let owner = match self.cache.get(key, second, RENEWAL_RETRY_SECONDS) {
                Known::Owned { owner, renew } => {
                    if renew {
                        cached.stale.push(key.clone());
                    }
                    Some(owner)
                }
                Known::Nobodys => None,
                Known::Unknown => {
                    cached.unknown.push(place);
                    None
                }
            };
            cached.owners.push(owner);
        }
        cached
    }

    async fn look_up(&self, keys: Vec<ResourceKey>) -> Result<Vec<Option<Owner>>, StoreError> {
        let (load, lookups) = (self.loader(), Arc::clone(&self.lookups));
        let work = async move {
            let _turn = lookups.acquire().await;
            load.load(&keys).await
        };
        self.on_runtime(LOOKUP_TIMEOUT, work).await
    }

    /// Asks anew in the background for what is halfway to its end.
    fn renew(&self, stale: Vec<ResourceKey>) {
        if stale.is_empty() {
            return;
        }
        let loader = self.loader();
        self.runtime.spawn(async move {
            if let Err(error) = loader.load(&stale).await {
                tracing::debug!(%error, "owners cannot be renewed yet");
            }
        });
    }

    /// Records what was made and forgets what is gone; nobody hears of either before.
    ///
    /// # Errors
    ///
    /// `Conflict` if something that was made is on record as another project's.
    pub async fn change(&self, changes: Changes) -> Result<(), OwnersError> {
        let (actor, clock) = (changes.actor.clone(), self.clock.clone());
        let mut author = Author::new(actor, clock, StdRng::from_os_rng());
        let (db, cache) = (self.db.clone(), Arc::clone(&self.cache));
        self.on_runtime(CHANGE_TIMEOUT, async move {
            let made = changes.made.iter().map(|made| &made.key);
            let keys: Vec<_> = made.chain(&changes.gone).cloned().collect();
            let done = apply(&db, &mut author, &changes).await;
            // Also after an error: it may have been committed all the same.
            for key in &keys {
                cache.invalidate(key);
            }
            done
        })
        .await
        .map_err(OwnersError::from)
    }

    fn loader(&self) -> Loader {
        Loader {
            db: self.db.clone(),
            cache: Arc::clone(&self.cache),
            clock: self.clock.clone(),
        }
    }

    /// The work goes on even if nobody waits for it any more.
    async fn on_runtime<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let late = || StoreError::Unavailable("no answer in time".to_owned());
        match tokio::time::timeout(patience, self.runtime.spawn(work)).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err(StoreError::Unavailable(error.to_string())),
            Err(_) => Err(late()),
        }
    }
}

/// One object made and one of its type gone is an object with a new name: what is bound to
/// it stays.
async fn apply(db: &Db, author: &mut Author, changes: &Changes) -> Result<(), StoreError> {
    if let ([made], [gone]) = (changes.made.as_slice(), changes.gone.as_slice())
        && made.key.kind == gone.kind
        && db.rename_resource(gone, &made.key.id).await?
    {
        return Ok(());
    }
    if !changes.made.is_empty() {
        let (tenant, project) = (changes.tenant, changes.project);
        let new = |made: &Made| NewResource {
            key: made.key.clone(),
            labels: made.labels.clone(),
        };
        let new: Vec<_> = changes.made.iter().map(new).collect();
        db.record_resources(author, tenant, project, &new).await?;
    }
    if !changes.gone.is_empty() {
        db.forget_resources(author, &changes.gone).await?;
    }
    Ok(())
}

struct Loader {
    db: Db,
    cache: Arc<OwnerCache>,
    clock: Clock,
}

impl Loader {
    /// What the database says now; the cache has it too, unless it changed meanwhile.
    async fn load(&self, keys: &[ResourceKey]) -> Result<Vec<Option<Owner>>, StoreError> {
        let epoch = self.cache.epoch();
        let asked = self.clock.now().timestamp();
        let owners = self.db.owners(keys).await?;
        for (key, owner) in keys.iter().zip(&owners) {
            self.cache.fill(epoch, key, owner.clone(), asked);
        }
        Ok(owners)
    }
}
