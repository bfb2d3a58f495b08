//! API keys.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use super::finder::Stored;
use super::{Authenticator, Caller};
use crate::cache::{CachedKey, Held, KeyEntry, RoleTables};
use crate::domain::{KeyId, KeyToken, SecretHash};
use crate::policy::{Authentication, Rejection};
use crate::store::{Db, StoreError};

/// Where keys are stored.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) db: Db,
    pub(super) tables: Arc<RoleTables>,
}

impl Stored for Keys {
    type Id = KeyId;
    type Value = CachedKey;

    async fn load(&self, id: &KeyId) -> Result<Option<CachedKey>, StoreError> {
        let key = self.db.find_key(id).await?;
        Ok(key.map(|key| CachedKey::new(key, &self.tables.catalogue())))
    }
}

impl Authenticator {
    pub(super) async fn key(&self, secret: &SecretString, caller: Caller<'_>) -> Authentication {
        let Ok(token) = secret.expose_secret().parse::<KeyToken>() else {
            return self.reject_malformed();
        };
        if self.tables.is_stale() {
            return Authentication::Unavailable;
        }
        let entry = match self.keys.find(token.id()).await {
            Ok(entry) => entry,
            Err(error) => {
                tracing::warn!(%error, key = %token.id(), "a key cannot be looked up");
                return Authentication::Unavailable;
            }
        };
        let admitted = match self.genuine(&token, &entry, caller) {
            Ok(key) => self
                .admit(key.key.principal, &key.limits)
                .await
                .inspect(|_| self.usage.note_key(&key, self.clock.now(), caller)),
            Err(why) => Err(why),
        };
        match admitted {
            Ok(subject) => Authentication::Authenticated(subject),
            Err(why) => Authentication::Rejected(why),
        }
    }

    /// The same work for every rejected key, so that time tells nothing of why.
    pub(super) fn reject_malformed(&self) -> Authentication {
        let _ = self.pepper.verify(&[0; 43], &SecretHash([0; 32]));
        Authentication::Rejected(Rejection::Malformed)
    }

    fn genuine(
        &self,
        token: &KeyToken,
        entry: &KeyEntry,
        caller: Caller<'_>,
    ) -> Result<Arc<Held<CachedKey>>, Rejection> {
        let (hash, found) = match entry {
            KeyEntry::Found(found) => (found.key.secret_hash, Some(found)),
            KeyEntry::Missing => (SecretHash([0; 32]), None),
        };
        let genuine = self.pepper.verify(token.secret(), &hash);
        let found = found.filter(|_| genuine).ok_or(Rejection::Unknown)?;
        is_good(found, caller, self.clock.now()).map(|()| Arc::clone(found))
    }
}

/// Whether a genuine key still opens anything, from there. From anywhere but its networks it is as
/// good as none: whoever has stolen it hears nothing of why.
pub(super) fn is_good(
    key: &CachedKey,
    caller: Caller<'_>,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    if key.key.revoked_at.is_some() {
        return Err(Rejection::Revoked);
    }
    match key.key.expires_at {
        Some(at) if at <= now => Err(Rejection::Expired),
        _ if !key.key.is_open_to(caller.ip) => Err(Rejection::Network),
        _ => Ok(()),
    }
}
