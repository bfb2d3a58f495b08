//! From the database into the cache.

use std::sync::Arc;

use crate::cache::{CachedKey, KeyCache, KeyEntry, RoleTables};
use crate::clock::Clock;
use crate::domain::KeyId;
use crate::store::{Db, StoreError};

/// Loads keys, on whatever runtime owns the connections.
pub(super) struct KeyLoader {
    pub(super) db: Db,
    pub(super) keys: Arc<KeyCache>,
    pub(super) tables: Arc<RoleTables>,
    pub(super) clock: Clock,
}

impl KeyLoader {
    /// What the database says now; the cache has it too, unless it changed meanwhile.
    pub(super) async fn load(&self, id: &KeyId) -> Result<KeyEntry, StoreError> {
        let epoch = self.keys.epoch();
        let asked = self.clock.now().timestamp();
        let entry = match self.db.find_key(id).await? {
            Some(key) => KeyEntry::Found(Arc::new(CachedKey::new(key, &self.tables.catalogue()))),
            None => KeyEntry::Missing,
        };
        self.keys.fill(epoch, id, entry.clone(), asked);
        Ok(entry)
    }
}
