//! API keys as last read from the database, found and missing alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::domain::{ApiKey, Catalogue, KeyId};
use crate::policy::CredentialLimits;

/// Keys held at most; a table of a million would not be.
const CAPACITY: u64 = 100_000;

/// A key, with its limits ready for a decision.
#[derive(Debug)]
pub struct CachedKey {
    /// As stored.
    pub key: ApiKey,
    /// What it narrows.
    pub limits: Arc<CredentialLimits>,
    /// Unix second at which its use was last noted.
    noted: AtomicI64,
}

/// What the database said of a key id.
#[derive(Debug, Clone)]
pub enum KeyEntry {
    /// It exists, perhaps revoked or expired.
    Found(Arc<CachedKey>),
    /// It does not.
    Missing,
}

/// Moment before a load, to be handed back with what was loaded.
#[derive(Debug, Clone, Copy)]
pub struct Epoch(u64);

/// See the module.
#[derive(Debug)]
pub struct KeyCache {
    entries: Cache<KeyId, KeyEntry>,
    /// Moves with every invalidation, so that an older load cannot fill the cache.
    epoch: AtomicU64,
}

impl CachedKey {
    /// Compiles the limits of a key.
    #[must_use]
    pub fn new(key: ApiKey, catalogue: &Catalogue) -> Self {
        let permissions = key.permissions.as_ref().map(|patterns| {
            // A pattern that no longer means anything grants nothing.
            catalogue.expand(patterns.iter().map(String::as_str)).0
        });
        let limits = Arc::new(CredentialLimits {
            id: Some(key.id.clone()),
            permissions,
            projects: key.projects.clone(),
        });
        Self {
            key,
            limits,
            noted: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether a use at this Unix second is worth noting, `every` seconds at most once.
    pub fn note_use(&self, second: i64, every: i64) -> bool {
        let last = self.noted.load(Ordering::Relaxed);
        second.saturating_sub(last) >= every
            && self
                .noted
                .compare_exchange(last, second, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl KeyCache {
    /// An empty cache whose entries end `ttl` after they were written.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self {
            entries: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(ttl)
                .build(),
            epoch: AtomicU64::new(0),
        }
    }

    /// What is known of a key id.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<KeyEntry> {
        self.entries.get(id)
    }

    /// To be called before the database is asked.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::SeqCst))
    }

    /// Takes what was loaded, unless something was invalidated since `epoch`.
    pub fn fill(&self, Epoch(epoch): Epoch, id: &KeyId, entry: KeyEntry) {
        if self.epoch.load(Ordering::SeqCst) != epoch {
            return;
        }
        self.entries.insert(id.clone(), entry);
        // The invalidation may have come between the check and the insertion.
        if self.epoch.load(Ordering::SeqCst) != epoch {
            self.entries.invalidate(id);
        }
    }

    /// Forgets one key.
    pub fn invalidate(&self, id: &KeyId) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate(id);
    }

    /// Forgets all.
    pub fn invalidate_all(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> KeyId {
        "abcdefghijkl".parse().unwrap()
    }

    #[test]
    fn a_load_that_began_before_an_invalidation_does_not_fill() {
        let cache = KeyCache::new(Duration::from_mins(1));
        let before = cache.epoch();
        cache.invalidate(&id());
        cache.fill(before, &id(), KeyEntry::Missing);
        assert!(cache.get(&id()).is_none());
    }

    #[test]
    fn a_load_after_the_last_invalidation_fills() {
        let cache = KeyCache::new(Duration::from_mins(1));
        cache.invalidate_all();
        cache.fill(cache.epoch(), &id(), KeyEntry::Missing);
        assert!(matches!(cache.get(&id()), Some(KeyEntry::Missing)));
        cache.invalidate_all();
        assert!(cache.get(&id()).is_none());
    }
}
