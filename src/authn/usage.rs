//! Last use of credentials, gathered in memory and written in batches.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Caller;
use crate::cache::{CachedKey, Held};
use crate::domain::{KeyId, SessionId};
use crate::store::{CredentialUse, Db};

/// A credential's use is noted at most this often, so that the hot path hardly ever locks.
pub(super) const NOTE_EVERY_SECONDS: i64 = 5;
/// How often notes are written.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// Notes waiting to be written.
#[derive(Debug, Default)]
pub struct Usage {
    keys: Notes<KeyId>,
    sessions: Notes<SessionId>,
}

impl Usage {
    /// Notes a use of a key.
    pub fn note_key(&self, key: &Held<CachedKey>, now: DateTime<Utc>, by: Caller<'_>) {
        if key.note_use(now.timestamp(), NOTE_EVERY_SECONDS) {
            let route = by.route.map(Arc::clone);
            self.keys.note(key.key.id.clone(), now, (by.ip, route));
        }
    }

    /// Notes a use of a session.
    pub fn note_session(&self, session: SessionId, now: DateTime<Utc>, ip: Option<IpAddr>) {
        self.sessions.note(session, now, (ip, None));
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
        let (keys, sessions) = (self.keys.take(), self.sessions.take());
        if !keys.is_empty()
            && let Err(error) = db.record_key_use(&keys).await
        {
            tracing::warn!(%error, keys = keys.len(), "the last use of keys was not written");
        }
        if !sessions.is_empty()
            && let Err(error) = db.record_session_use(&sessions).await
        {
            let count = sessions.len();
            tracing::warn!(%error, sessions = count, "the last use of sessions was not written");
        }
    }
}

/// The last use of each.
#[derive(Debug)]
struct Notes<K>(Mutex<HashMap<K, CredentialUse<K>>>);

impl<K> Default for Notes<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> Notes<K> {
    fn note(&self, id: K, at: DateTime<Utc>, (ip, route): (Option<IpAddr>, Option<Arc<str>>)) {
        let noted = CredentialUse {
            id: id.clone(),
            at,
            ip,
            route,
        };
        self.pending().insert(id, noted);
    }

    fn take(&self) -> Vec<CredentialUse<K>> {
        std::mem::take(&mut *self.pending()).into_values().collect()
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, HashMap<K, CredentialUse<K>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
