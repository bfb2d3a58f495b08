//! What the gateway signs with: keys on record, their private parts sealed.
//!
//! One of them signs at a time. All that are not forgotten are shown to whoever verifies, and
//! believed here: a new one some time before it signs, a former one for as long as anything that
//! it signed is valid.

mod key;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use chrono::{DateTime, Utc};
use openssl::error::ErrorStack;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

pub use self::key::SigningKey;
use super::Seal;
use crate::cache::RoleTables;
use crate::clock::Clock;
use crate::domain::{SigningKeyId, SigningTimes, Succession};
use crate::store::{Author, Db, StoreError};

/// How often it is looked whether they have changed: what is looked at is in memory.
const ROUND: Duration = Duration::from_millis(200);

/// All keys that are known, the newest first.
#[derive(Debug, Default)]
pub struct KeySet(Vec<(Arc<SigningKey>, SigningTimes)>);

impl KeySet {
    /// The one that signs now.
    #[must_use]
    pub fn signing(&self, now: DateTime<Utc>) -> Option<&Arc<SigningKey>> {
        let found = self.0.iter().find(|(_, times)| times.may_sign(now));
        // Of a clock that went back, the oldest has signed before.
        let oldest = || self.0.last();
        found.or_else(oldest).map(|(key, _)| key)
    }

    /// Those whose word is good.
    pub fn served(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Arc<SigningKey>> {
        let served = self.0.iter().filter(move |(_, times)| times.is_served(now));
        served.map(|(key, _)| key)
    }

    /// Their public parts, as a JWK Set (RFC 7517 §5).
    #[must_use]
    pub fn public(&self, now: DateTime<Utc>) -> Value {
        let keys: Vec<&Value> = self.served(now).map(|key| key.public()).collect();
        json!({ "keys": keys })
    }
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// It cannot be put on record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be made.
    #[error(transparent)]
    Crypto(#[from] ErrorStack),
}

/// Makes a key and puts it on record.
///
/// # Errors
///
/// [`SigningKeyError`].
pub async fn add_signing_key(
    db: &Db,
    seal: &Seal,
    author: &mut Author,
    succession: Succession,
) -> Result<Option<(SigningKeyId, SigningTimes)>, SigningKeyError> {
    let key = SigningKey::generate()?;
    let sealed = key.seal(seal, &mut StdRng::from_os_rng())?;
    let times = db
        .add_signing_key(author, (key.id(), &sealed), succession)
        .await?;
    Ok(times.map(|times| (key.id().clone(), times)))
}

/// The keys of an installation, as a running gateway has them.
#[derive(Debug)]
pub struct SigningKeys {
    db: Db,
    seal: Seal,
    tables: Arc<RoleTables>,
    clock: Clock,
    known: ArcSwap<KeySet>,
}

impl SigningKeys {
    /// None yet.
    #[must_use]
    pub fn new(db: Db, seal: Seal, tables: Arc<RoleTables>, clock: Clock) -> Self {
        Self {
            db,
            seal,
            tables,
            clock,
            known: ArcSwap::default(),
        }
    }

    /// Those that are known now.
    #[must_use]
    pub fn known(&self) -> Guard<Arc<KeySet>> {
        self.known.load()
    }

    /// Their public parts, as a JWK Set.
    #[must_use]
    pub fn public(&self) -> Value {
        self.known().public(self.clock.now())
    }

    /// Makes the first one if there is none, and knows what there is.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`].
    pub async fn begin(&self, author: &mut Author) -> Result<(), SigningKeyError> {
        self.look().await?;
        if self.known().0.is_empty() {
            add_signing_key(&self.db, &self.seal, author, Succession::First).await?;
            self.look().await?;
        }
        Ok(())
    }

    /// Follows the record for as long as the gateway runs. Any change of it is a version of the
    /// policy.
    pub async fn follow(&self, mut author: Author) {
        let mut rounds = tokio::time::interval(ROUND);
        let mut seen = None;
        loop {
            rounds.tick().await;
            let version = self.tables.current().version();
            if seen == Some(version) {
                continue;
            }
            match self.begin(&mut author).await {
                Ok(()) => seen = Some(version),
                Err(error) => tracing::warn!(%error, "the signing keys cannot be read"),
            }
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let stored = self.db.signing_keys().await?;
        let former = self.known();
        let usable = stored.iter().filter_map(|stored| {
            let same = former.0.iter().find(|(key, _)| *key.id() == stored.id);
            let key = same.map(|(key, _)| Arc::clone(key)).or_else(|| {
                let key = SigningKey::open(&stored.id, &stored.sealed, &self.seal);
                if key.is_none() {
                    let kid = stored.id.as_str();
                    tracing::error!(kid, "a signing key is sealed under a key not known here");
                }
                key.map(Arc::new)
            });
            Some((key?, stored.times))
        });
        let usable = KeySet(usable.collect());
        self.known.store(Arc::new(usable));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn set(keys: &[(&Arc<SigningKey>, i64, Option<i64>)]) -> KeySet {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let keys = keys.iter().map(|(key, from, until)| {
            let times = SigningTimes {
                created_at: at(0),
                signs_from: at(*from),
                served_until: until.map(at),
            };
            (Arc::clone(key), times)
        });
        KeySet(keys.collect())
    }

    #[test]
    fn a_new_key_is_shown_before_it_signs_and_the_former_one_after_it_did() {
        let [old, new] = [(); 2].map(|()| Arc::new(SigningKey::generate().unwrap()));
        let keys = set(&[(&new, 100, None), (&old, 0, Some(200))]);
        let at = |second| {
            let now = DateTime::from_timestamp(0, 0).unwrap() + TimeDelta::seconds(second);
            let served: Vec<_> = keys.served(now).map(|key| key.id().clone()).collect();
            (keys.signing(now).map(|key| key.id().clone()), served)
        };
        let both = vec![new.id().clone(), old.id().clone()];
        assert_eq!(at(99), (Some(old.id().clone()), both.clone()));
        assert_eq!(at(100), (Some(new.id().clone()), both));
        assert_eq!(at(200), (Some(new.id().clone()), vec![new.id().clone()]));
    }
}
