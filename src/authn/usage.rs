//! Last use of keys, gathered in memory and written in batches.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::cache::CachedKey;
use crate::domain::KeyId;
use crate::store::{Db, KeyUse};

/// A key's use is noted at most this often, so that the hot path hardly ever locks.
const NOTE_EVERY_SECONDS: i64 = 5;
/// How often notes are written.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// Notes waiting to be written.
#[derive(Debug, Default)]
pub struct KeyUsage {
    pending: Mutex<HashMap<KeyId, KeyUse>>,
}

impl KeyUsage {
    /// Notes a use.
    pub fn note(&self, key: &CachedKey, now: DateTime<Utc>, ip: Option<IpAddr>) {
        if key.note_use(now.timestamp(), NOTE_EVERY_SECONDS) {
            let id = key.key.id.clone();
            let noted = KeyUse {
                key: id.clone(),
                at: now,
                ip,
            };
            self.pending().insert(id, noted);
        }
    }

    /// Writes the notes of the last seconds, for ever.
    pub async fn run(&self, db: &Db) -> ! {
        let mut ticks = tokio::time::interval(FLUSH_EVERY);
        loop {
            ticks.tick().await;
            self.flush(db).await;
        }
    }

    /// Writes what is pending. Lost if the database is away: a convenience, not a record.
    pub async fn flush(&self, db: &Db) {
        let notes: Vec<_> = std::mem::take(&mut *self.pending()).into_values().collect();
        if notes.is_empty() {
            return;
        }
        if let Err(error) = db.record_key_use(&notes).await {
            tracing::warn!(%error, keys = notes.len(), "the last use of keys was not written");
        }
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, KeyUse>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
