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
    /// Unix second from which on it is to be asked for anew.
    renewal: AtomicI64,
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
    /// Age at which an entry in use is renewed.
    renew_after: Duration,
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
            renewal: AtomicI64::new(i64::MAX),
        }
    }

    /// Whether it is to be asked for anew, at this Unix second: one caller is told so,
    /// and another only if `retry` seconds later it is still here.
    pub fn claim_renewal(&self, second: i64, retry: i64) -> bool {
        let due = self.renewal.load(Ordering::Relaxed);
        let again = second.saturating_add(retry);
        second >= due
            && self
                .renewal
                .compare_exchange(due, again, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
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
    /// An empty cache whose entries end `ttl` after they were written. Those in use are
    /// renewed halfway: a database that goes away finds none of them near its end.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self {
            renew_after: ttl / 2,
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

    /// Takes what was loaded at this Unix second, unless something was invalidated since
    /// `epoch`.
    pub fn fill(&self, Epoch(epoch): Epoch, id: &KeyId, entry: KeyEntry, second: i64) {
        if let KeyEntry::Found(key) = &entry {
            let after = i64::try_from(self.renew_after.as_secs()).unwrap_or(i64::MAX);
            let due = second.saturating_add(after);
            key.renewal.store(due, Ordering::Relaxed);
        }
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
    use crate::domain::{PrincipalId, SecretHash};

    fn id() -> KeyId {
        "abcdefghijkl".parse().unwrap()
    }

    #[test]
    fn a_load_that_began_before_an_invalidation_does_not_fill() {
        let cache = KeyCache::new(Duration::from_mins(1));
        let before = cache.epoch();
        cache.invalidate(&id());
        cache.fill(before, &id(), KeyEntry::Missing, 0);
        assert!(cache.get(&id()).is_none());
    }

    #[test]
    fn an_entry_is_renewed_halfway_by_one_caller_at_a_time() {
        let cache = KeyCache::new(Duration::from_secs(20));
        let key = Arc::new(CachedKey::new(stored(), &Catalogue::new([])));
        cache.fill(cache.epoch(), &id(), KeyEntry::Found(Arc::clone(&key)), 100);
        assert!(!key.claim_renewal(109, 5));
        assert!(key.claim_renewal(110, 5));
        assert!(!key.claim_renewal(114, 5), "somebody is at it");
        assert!(key.claim_renewal(115, 5), "that failed");
    }

    fn stored() -> ApiKey {
        ApiKey {
            id: id(),
            principal: PrincipalId(uuid::Uuid::nil()),
            secret_hash: SecretHash([0; 32]),
            permissions: None,
            projects: None,
            description: String::new(),
            expires_at: None,
            revoked_at: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
            last_used_at: None,
            last_used_ip: None,
        }
    }

    #[test]
    fn a_load_after_the_last_invalidation_fills() {
        let cache = KeyCache::new(Duration::from_mins(1));
        cache.invalidate_all();
        cache.fill(cache.epoch(), &id(), KeyEntry::Missing, 0);
        assert!(matches!(cache.get(&id()), Some(KeyEntry::Missing)));
        cache.invalidate_all();
        assert!(cache.get(&id()).is_none());
    }
}
