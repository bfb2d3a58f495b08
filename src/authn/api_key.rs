//! API keys.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::KeyUsage;
use super::key_loader::KeyLoader;
use crate::cache::{CachedKey, KeyCache, KeyEntry, RoleTables};
use crate::clock::Clock;
use crate::domain::{KeyId, KeyToken, Pepper, Principal, SecretHash};
use crate::policy::{Authentication, PresentedSecret, Rejection, Subject};
use crate::store::{Db, StoreError};
use crate::telemetry::Metrics;

/// Look-ups of unknown keys under way at once: a flood of invented keys must not
/// take all of the database's connections.
const CONCURRENT_LOOKUPS: usize = 4;
/// How soon a renewal that failed is tried again.
const RENEWAL_RETRY_SECONDS: i64 = 5;

/// How long the look-up of an unknown key may take, waiting for its turn included.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Verifies credentials.
#[derive(Debug)]
pub struct Authenticator {
    /// Where unknown keys are looked up.
    pub db: Db,
    /// Known keys.
    pub keys: Arc<KeyCache>,
    /// Known principals.
    pub tables: Arc<RoleTables>,
    /// Under which secrets are hashed.
    pub pepper: Pepper,
    /// Notes of use.
    pub usage: Arc<KeyUsage>,
    /// For expiry.
    pub clock: Clock,
    /// The runtime that owns the database connections: they must not depend on a
    /// thread of the data plane.
    runtime: Handle,
    lookups: Semaphore,
    hits: IntCounter,
    misses: IntCounter,
}

impl Authenticator {
    /// An authenticator over these caches.
    ///
    /// # Panics
    ///
    /// Outside a runtime: the current one is where the database is asked.
    #[must_use]
    pub fn new(
        db: Db,
        keys: Arc<KeyCache>,
        tables: Arc<RoleTables>,
        pepper: Pepper,
        clock: Clock,
        metrics: &Metrics,
    ) -> Self {
        let (hits, misses) = metrics.caches.of("api_keys");
        Self {
            hits,
            misses,
            db,
            keys,
            tables,
            pepper,
            usage: Arc::default(),
            clock,
            runtime: Handle::current(),
            lookups: Semaphore::new(CONCURRENT_LOOKUPS),
        }
    }

    /// Finds out who presented this.
    pub async fn authenticate(
        &self,
        presented: Option<&PresentedSecret>,
        ip: Option<IpAddr>,
    ) -> Authentication {
        match presented {
            None => Authentication::NotPresented,
            Some(PresentedSecret::Unusable) => self.reject_malformed(),
            Some(PresentedSecret::Secret(secret)) => self.key(secret, ip).await,
        }
    }

    async fn key(&self, secret: &SecretString, ip: Option<IpAddr>) -> Authentication {
        let Ok(token) = secret.expose_secret().parse::<KeyToken>() else {
            return self.reject_malformed();
        };
        if self.tables.is_stale() {
            return Authentication::Unavailable;
        }
        let entry = if let Some(entry) = self.keys.get(token.id()) {
            self.hits.inc();
            self.renew(&entry);
            entry
        } else {
            self.misses.inc();
            match self.look_up_in_time(token.id()).await {
                Ok(entry) => entry,
                Err(error) => {
                    tracing::warn!(%error, key = %token.id(), "a key cannot be looked up");
                    return Authentication::Unavailable;
                }
            }
        };
        match self.verify(&token, &entry) {
            Ok(key) => self.admit(key, ip).await,
            Err(why) => Authentication::Rejected(why),
        }
    }

    /// The same work for every rejected key, so that time tells nothing of why.
    fn reject_malformed(&self) -> Authentication {
        let _ = self.pepper.verify(&[0; 43], &SecretHash([0; 32]));
        Authentication::Rejected(Rejection::Malformed)
    }

    /// A database that hangs must not make every unknown key wait for the one before.
    async fn look_up_in_time(&self, id: &KeyId) -> Result<KeyEntry, StoreError> {
        let looked_up = tokio::time::timeout(LOOKUP_TIMEOUT, self.look_up(id)).await;
        looked_up.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())))
    }

    async fn look_up(&self, id: &KeyId) -> Result<KeyEntry, StoreError> {
        let _turn = self.lookups.acquire().await;
        if let Some(entry) = self.keys.get(id) {
            return Ok(entry);
        }
        let (loader, id) = (self.loader(), id.clone());
        self.on_runtime(async move { loader.load(&id).await }).await
    }

    /// Asks anew in the background for a key whose entry is halfway to its end.
    fn renew(&self, entry: &KeyEntry) {
        let now = self.clock.now().timestamp();
        if let KeyEntry::Found(found) = entry
            && found.claim_renewal(now, RENEWAL_RETRY_SECONDS)
        {
            let (loader, id) = (self.loader(), found.key.id.clone());
            self.runtime.spawn(async move {
                if let Err(error) = loader.load(&id).await {
                    tracing::debug!(%error, key = %id, "a key cannot be renewed yet");
                }
            });
        }
    }

    fn loader(&self) -> KeyLoader {
        KeyLoader {
            db: self.db.clone(),
            keys: Arc::clone(&self.keys),
            tables: Arc::clone(&self.tables),
            clock: self.clock.clone(),
        }
    }

    fn verify(&self, token: &KeyToken, entry: &KeyEntry) -> Result<Arc<CachedKey>, Rejection> {
        let (hash, found) = match entry {
            KeyEntry::Found(found) => (found.key.secret_hash, Some(found)),
            KeyEntry::Missing => (SecretHash([0; 32]), None),
        };
        let genuine = self.pepper.verify(token.secret(), &hash);
        let found = found.filter(|_| genuine).ok_or(Rejection::Unknown)?;
        if found.key.revoked_at.is_some() {
            return Err(Rejection::Revoked);
        }
        match found.key.expires_at {
            Some(at) if at <= self.clock.now() => Err(Rejection::Expired),
            _ => Ok(Arc::clone(found)),
        }
    }

    async fn admit(&self, key: Arc<CachedKey>, ip: Option<IpAddr>) -> Authentication {
        let Some(principal) = self.principal(&key).await else {
            return Authentication::Rejected(Rejection::PrincipalDisabled);
        };
        if principal.disabled {
            return Authentication::Rejected(Rejection::PrincipalDisabled);
        }
        self.usage.note(&key, self.clock.now(), ip);
        Authentication::Authenticated(Subject {
            principal,
            credential: Arc::clone(&key.limits),
        })
    }

    /// A genuine key of a principal that the table does not have yet is newer than
    /// the table: load it rather than refuse.
    async fn principal(&self, key: &CachedKey) -> Option<Arc<Principal>> {
        let id = key.key.principal;
        if let Some(principal) = self.tables.current().principal(id) {
            return Some(Arc::clone(principal));
        }
        let tables = Arc::clone(&self.tables);
        self.on_runtime(async move { tables.poll().await })
            .await
            .ok()?;
        self.tables.current().principal(id).cloned()
    }

    async fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.runtime.spawn(work).await;
        done.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }
}
