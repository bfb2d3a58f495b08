//! Owners of objects as last read from the database, found and missing alike.
//!
//! What is missing may be recorded by another gateway at any moment. Its notification
//! tells, and should that be late, the entry does not last: an owner who was just told of
//! an object must not be told that there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::domain::{Owner, ResourceKey};

/// Objects held at most.
const CAPACITY: u64 = 200_000;
/// Names held at most of which nothing is on record: anybody can invent one.
const MISSING_CAPACITY: u64 = 20_000;
/// How long such a name is held.
const MISSING_TTL: Duration = Duration::from_secs(1);

/// Moment before a load, to be handed back with what was loaded.
#[derive(Debug, Clone, Copy)]
pub struct OwnersEpoch(u64);

/// See the module.
#[derive(Debug)]
pub struct OwnerCache {
    found: Cache<ResourceKey, Arc<Found>>,
    missing: Cache<ResourceKey, ()>,
    /// Age at which an entry in use is renewed, in seconds.
    renew_after: i64,
    /// Moves with every invalidation, so that an older load cannot fill the cache.
    epoch: AtomicU64,
}

#[derive(Debug)]
struct Found {
    owner: Owner,
    /// Unix second from which on it is to be asked for anew.
    renewal: AtomicI64,
}

/// What the cache says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is this one's.
    Owned {
        /// Whose.
        owner: Owner,
        /// Whether whoever asked is to ask the database anew, in the background.
        renew: bool,
    },
    /// It is nobody's.
    Nobodys,
    /// Nothing.
    Unknown,
}

impl OwnerCache {
    /// An empty cache whose entries end `ttl` after they were written. Those in use are
    /// renewed halfway: a database that goes away finds none of them near its end.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        let missing = MISSING_TTL.min(ttl);
        Self {
            found: bounded(CAPACITY, ttl),
            missing: bounded(MISSING_CAPACITY, missing),
            renew_after: i64::try_from(ttl.as_secs() / 2).unwrap_or(i64::MAX),
            epoch: AtomicU64::new(0),
        }
    }

    /// What is known of an object at this Unix second. A renewal that is due is given to
    /// one caller, and to another only if `retry` seconds later it is still due.
    #[must_use]
    pub fn get(&self, key: &ResourceKey, second: i64, retry: i64) -> Known {
        if let Some(found) = self.found.get(key) {
            return Known::Owned {
                owner: found.owner.clone(),
                renew: found.claim_renewal(second, retry),
            };
        }
        if self.missing.contains_key(key) {
            Known::Nobodys
        } else {
            Known::Unknown
        }
    }

    /// To be called before the database is asked.
    #[must_use]
    pub fn epoch(&self) -> OwnersEpoch {
        OwnersEpoch(self.epoch.load(Ordering::SeqCst))
    }

    /// Takes what was loaded at this Unix second, unless something was invalidated since
    /// `epoch`.
    pub fn fill(
        &self,
        OwnersEpoch(epoch): OwnersEpoch,
        key: &ResourceKey,
        owner: Option<Owner>,
        second: i64,
    ) {
        let is_current = || self.epoch.load(Ordering::SeqCst) == epoch;
        if !is_current() {
            return;
        }
        self.insert(key, owner, second);
        // The invalidation may have come between the check and the insertion.
        if !is_current() {
            self.drop_entry(key);
        }
    }

    fn insert(&self, key: &ResourceKey, owner: Option<Owner>, second: i64) {
        let Some(owner) = owner else {
            self.found.invalidate(key);
            return self.missing.insert(key.clone(), ());
        };
        let renewal = AtomicI64::new(second.saturating_add(self.renew_after));
        self.missing.invalidate(key);
        let found = Arc::new(Found { owner, renewal });
        self.found.insert(key.clone(), found);
    }

    /// Forgets what it has of one object.
    pub fn invalidate(&self, key: &ResourceKey) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.drop_entry(key);
    }

    /// Forgets all.
    pub fn invalidate_all(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.found.invalidate_all();
        self.missing.invalidate_all();
    }

    fn drop_entry(&self, key: &ResourceKey) {
        self.found.invalidate(key);
        self.missing.invalidate(key);
    }
}

impl Found {
    fn claim_renewal(&self, second: i64, retry: i64) -> bool {
        let due = self.renewal.load(Ordering::Relaxed);
        let again = second.saturating_add(retry);
        second >= due
            && self
                .renewal
                .compare_exchange(due, again, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

fn bounded<V: Clone + Send + Sync + 'static>(most: u64, ttl: Duration) -> Cache<ResourceKey, V> {
    Cache::builder()
        .max_capacity(most)
        .time_to_live(ttl)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ProjectId, ResourceId};

    fn key(id: &str) -> ResourceKey {
        ResourceKey {
            upstream: "app".into(),
            kind: "dataset".into(),
            id: id.into(),
        }
    }

    fn owner() -> Owner {
        Owner {
            resource: ResourceId(uuid::Uuid::nil()),
            project: ProjectId(uuid::Uuid::nil()),
            labels: Arc::default(),
        }
    }

    fn cache() -> OwnerCache {
        OwnerCache::new(Duration::from_secs(20))
    }

    fn known(cache: &OwnerCache) -> Known {
        cache.get(&key("1"), 0, 5)
    }

    #[test]
    fn a_load_that_began_before_an_invalidation_does_not_fill() {
        for loaded in [Some(owner()), None] {
            let cache = cache();
            let before = cache.epoch();
            cache.invalidate(&key("2"));
            cache.fill(before, &key("1"), loaded, 0);
            assert_eq!(known(&cache), Known::Unknown);
        }
    }

    #[test]
    fn the_later_load_is_what_is_known() {
        let cache = cache();
        cache.fill(cache.epoch(), &key("1"), None, 0);
        assert_eq!(known(&cache), Known::Nobodys);
        cache.fill(cache.epoch(), &key("1"), Some(owner()), 0);
        assert!(matches!(known(&cache), Known::Owned { .. }));
        cache.fill(cache.epoch(), &key("1"), None, 0);
        assert_eq!(known(&cache), Known::Nobodys);
    }

    #[test]
    fn invalidation_forgets_both_kinds() {
        for loaded in [Some(owner()), None] {
            let cache = cache();
            cache.fill(cache.epoch(), &key("1"), loaded.clone(), 0);
            cache.invalidate(&key("1"));
            assert_eq!(known(&cache), Known::Unknown);
            cache.fill(cache.epoch(), &key("1"), loaded, 0);
            cache.invalidate_all();
            assert_eq!(known(&cache), Known::Unknown);
        }
    }

    #[test]
    fn an_entry_is_renewed_halfway_by_one_caller_at_a_time() {
        let cache = cache();
        cache.fill(cache.epoch(), &key("1"), Some(owner()), 100);
        let due = |second| {
            matches!(
                cache.get(&key("1"), second, 5),
                Known::Owned { renew: true, .. }
            )
        };
        assert!(!due(109));
        assert!(due(110));
        assert!(!due(114), "somebody is at it");
        assert!(due(115), "that failed");
    }
}
