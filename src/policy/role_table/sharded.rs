//! A map whose copies share what they do not change.

use std::hash::Hash;
use std::sync::Arc;

use ahash::{AHashMap, RandomState};

/// A change copies one shard: of a million entries a thousand.
const SHARDS: usize = 1024;

/// Cloning it costs a list of pointers; changing the clone leaves the original as it is.
#[derive(Clone, Debug)]
pub(super) struct Sharded<K, V> {
    shards: Box<[Arc<AHashMap<K, V>>]>,
    hasher: RandomState,
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        let empty = Arc::new(AHashMap::new());
        Self {
            shards: vec![empty; SHARDS].into(),
            hasher: RandomState::new(),
        }
    }
}

impl<K: Hash + Eq, V> Sharded<K, V> {
    pub fn get(&self, key: &K) -> Option<&V> {
        self.shards[self.shard(key)].get(key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    fn shard(&self, key: &K) -> usize {
        // The remainder fits: it is below SHARDS.
        usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or_default()
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Sharded<K, V> {
    pub fn insert(&mut self, key: K, value: V) {
        let shard = self.shard(&key);
        Arc::make_mut(&mut self.shards[shard]).insert(key, value);
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let shard = self.shard(key);
        if !self.shards[shard].contains_key(key) {
            return None;
        }
        Arc::make_mut(&mut self.shards[shard]).remove(key)
    }
}

impl<K: Hash + Eq + Clone, V: Clone> FromIterator<(K, V)> for Sharded<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        entries
            .into_iter()
            .for_each(|(key, value)| map.insert(key, value));
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_changes_alone_and_shares_the_rest() {
        let old: Sharded<u32, u32> = (0..10_000).map(|n| (n, n)).collect();
        let mut new = old.clone();
        new.insert(7, 70);
        assert_eq!(new.remove(&8), Some(8));
        assert_eq!(new.remove(&20_000), None);
        assert_eq!((old.get(&7), old.get(&8)), (Some(&7), Some(&8)));
        assert_eq!((new.get(&7), new.get(&8)), (Some(&70), None));
        assert_eq!(
            (old.values().count(), new.values().count()),
            (10_000, 9_999)
        );
        let shards = old.shards.iter().zip(&new.shards);
        let copied = shards.filter(|(old, new)| !Arc::ptr_eq(old, new)).count();
        assert!(copied <= 2, "{copied}");
    }
}
