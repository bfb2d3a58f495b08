//! Credentials as last read from the database, found and missing alike.

use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

/// Credentials of a kind held at most; a table of a million would not be.
const CAPACITY: u64 = 100_000;

/// A credential in memory, and what is noted of its use.
#[derive(Debug)]
pub struct Held<V> {
    value: V,
    /// Unix second at which its use was last noted.
    noted: AtomicI64,
    /// Unix second from which on it is to be asked for anew.
    renewal: AtomicI64,
}

/// What the database said of an id.
#[derive(Debug)]
pub enum Entry<V> {
    /// It exists, perhaps revoked or expired.
    Found(Arc<Held<V>>),
    /// It does not.
    Missing,
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Found(held) => Self::Found(Arc::clone(held)),
            Self::Missing => Self::Missing,
        }
    }
}

/// Moment before a load, to be handed back with what was loaded.
#[derive(Debug, Clone, Copy)]
pub struct Epoch(u64);

/// See the module.
pub struct CredentialCache<K, V> {
    entries: Cache<K, Entry<V>>,
    /// Age at which an entry in use is renewed.
    renew_after: Duration,
    /// Moves with every invalidation, so that an older load cannot fill the cache.
    epoch: AtomicU64,
}

impl<K, V> fmt::Debug for CredentialCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.epoch.load(Ordering::Relaxed);
        f.debug_struct("CredentialCache")
            .field("epoch", &epoch)
            .finish_non_exhaustive()
    }
}

impl<V> Held<V> {
    /// As just read.
    #[must_use]
    pub const fn new(value: V) -> Self {
        Self {
            value,
            noted: AtomicI64::new(i64::MIN),
            renewal: AtomicI64::new(i64::MAX),
        }
    }

    /// Whether it is to be asked for anew, at this Unix second: one caller is told so,
    /// and another only if `retry` seconds later it is still here.
    pub fn claim_renewal(&self, second: i64, retry: i64) -> bool {
        let due = self.renewal.load(Ordering::Relaxed);
        second >= due && exchanged(&self.renewal, due, second.saturating_add(retry))
    }

    /// Whether a use at this Unix second is worth noting, `every` seconds at most once.
    pub fn note_use(&self, second: i64, every: i64) -> bool {
        let last = self.noted.load(Ordering::Relaxed);
        second.saturating_sub(last) >= every && exchanged(&self.noted, last, second)
    }
}

impl<V> Deref for Held<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

fn exchanged(place: &AtomicI64, from: i64, to: i64) -> bool {
    place
        .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
        .is_ok()
}

impl<K, V> CredentialCache<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
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

    /// What is known of an id.
    #[must_use]
    pub fn get(&self, id: &K) -> Option<Entry<V>> {
        self.entries.get(id)
    }

    /// To be called before the database is asked.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::SeqCst))
    }

    /// Takes what was loaded at this Unix second, unless something was invalidated since
    /// `epoch`.
    pub fn fill(&self, Epoch(epoch): Epoch, id: &K, entry: Entry<V>, second: i64) {
        if let Entry::Found(held) = &entry {
            let after = i64::try_from(self.renew_after.as_secs()).unwrap_or(i64::MAX);
            let due = second.saturating_add(after);
            held.renewal.store(due, Ordering::Relaxed);
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

    /// Forgets one.
    pub fn invalidate(&self, id: &K) {
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

    fn cache(seconds: u64) -> CredentialCache<u8, ()> {
        CredentialCache::new(Duration::from_secs(seconds))
    }

    #[test]
    fn a_load_that_began_before_an_invalidation_does_not_fill() {
        let cache = cache(60);
        let before = cache.epoch();
        cache.invalidate(&1);
        cache.fill(before, &1, Entry::Missing, 0);
        assert!(cache.get(&1).is_none());
    }

    #[test]
    fn an_entry_is_renewed_halfway_by_one_caller_at_a_time() {
        let cache = cache(20);
        let held = Arc::new(Held::new(()));
        cache.fill(cache.epoch(), &1, Entry::Found(Arc::clone(&held)), 100);
        assert!(!held.claim_renewal(109, 5));
        assert!(held.claim_renewal(110, 5));
        assert!(!held.claim_renewal(114, 5), "somebody is at it");
        assert!(held.claim_renewal(115, 5), "that failed");
    }

    #[test]
    fn a_load_after_the_last_invalidation_fills() {
        let cache = cache(60);
        cache.invalidate_all();
        cache.fill(cache.epoch(), &1, Entry::Missing, 0);
        assert!(matches!(cache.get(&1), Some(Entry::Missing)));
        cache.invalidate_all();
        assert!(cache.get(&1).is_none());
    }
}
