//! Who presented a credential.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::Usage;
use super::api_key::Keys;
use super::finder::Finder;
use super::session::Sessions;
use super::token::{TokenRules, Tokens, is_token};
use crate::cache::{KeyCache, RevokedTokens, RoleTables, SessionCache};
use crate::clock::Clock;
use crate::domain::{Pepper, Principal, PrincipalId, SessionCookie};
use crate::policy::{Authentication, CredentialLimits, PresentedSecret, Rejection, Subject};
use crate::store::Db;
use crate::telemetry::Metrics;

/// What credentials are verified against.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Where unknown credentials are looked up.
    pub db: Db,
    /// Known keys.
    pub keys: Arc<KeyCache>,
    /// Known sessions.
    pub sessions: Arc<SessionCache>,
    /// Known access tokens.
    pub revoked: Arc<RevokedTokens>,
    /// What access tokens are given for; `None`: there are none.
    pub tokens: Option<TokenRules>,
    /// Known principals.
    pub tables: Arc<RoleTables>,
    /// Under which secrets are hashed.
    pub pepper: Pepper,
    /// For expiry.
    pub clock: Clock,
}

/// How a request came.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Address of the client, if it has one.
    pub ip: Option<IpAddr>,
    /// Whether it came over TLS, as the client sees it.
    pub https: bool,
    /// What it asks for, as the route map has it.
    pub route: Option<&'a Arc<str>>,
}

impl Caller<'_> {
    /// The cookie that its session is in; `None` where none is safe: in cleartext from
    /// another machine.
    #[must_use]
    pub fn cookie(self) -> Option<SessionCookie> {
        if self.https {
            return Some(SessionCookie::Host);
        }
        let is_here = self.ip.is_some_and(|ip| ip.to_canonical().is_loopback());
        is_here.then_some(SessionCookie::Dev)
    }
}

/// Verifies credentials.
#[derive(Debug)]
pub struct Authenticator {
    /// Notes of use.
    pub usage: Arc<Usage>,
    pub(super) keys: Finder<Keys>,
    pub(super) sessions: Finder<Sessions>,
    tokens: Option<Tokens>,
    pub(super) tables: Arc<RoleTables>,
    pub(super) pepper: Pepper,
    pub(super) clock: Clock,
    runtime: Handle,
}

impl Authenticator {
    /// One that knows this.
    ///
    /// # Panics
    ///
    /// Outside a runtime: the current one is where the database is asked.
    #[must_use]
    pub fn new(truth: Truth, metrics: &Metrics) -> Self {
        let Truth {
            db,
            keys,
            sessions,
            revoked,
            tokens,
            tables,
            pepper,
            clock,
        } = truth;
        let tokens =
            tokens.map(|rules| Tokens::new(rules, db.clone(), revoked, clock.clone(), metrics));
        let stored_keys = Keys {
            db: db.clone(),
            tables: Arc::clone(&tables),
        };
        let counted = |name| metrics.caches.of(name);
        Self {
            usage: Arc::default(),
            keys: Finder::new(stored_keys, keys, clock.clone(), counted("api_keys")),
            sessions: Finder::new(
                Sessions { db },
                sessions,
                clock.clone(),
                counted("sessions"),
            ),
            tokens,
            tables,
            pepper,
            clock,
            runtime: Handle::current(),
        }
    }

    /// The keys in memory.
    #[must_use]
    pub const fn key_cache(&self) -> &Arc<KeyCache> {
        self.keys.cache()
    }

    /// Finds out who presented this.
    pub async fn authenticate(
        &self,
        presented: Option<&PresentedSecret>,
        caller: Caller<'_>,
    ) -> Authentication {
        match presented {
            None => Authentication::NotPresented,
            Some(PresentedSecret::Unusable) => self.reject_malformed(),
            Some(PresentedSecret::Secret(secret)) => match &self.tokens {
                Some(tokens) if is_token(secret) => self.token(tokens, secret, caller).await,
                _ => self.key(secret, caller).await,
            },
            Some(PresentedSecret::Session(cookie, secret)) => {
                self.session(*cookie, secret, caller).await
            }
        }
    }

    /// The subject, if its principal may act at all.
    pub(super) async fn admit(
        &self,
        id: PrincipalId,
        limits: &Arc<CredentialLimits>,
    ) -> Result<Subject, Rejection> {
        let principal = self.principal(id).await;
        let principal = principal.filter(|principal| !principal.disabled);
        Ok(Subject {
            principal: principal.ok_or(Rejection::PrincipalDisabled)?,
            credential: Arc::clone(limits),
        })
    }

    /// A genuine credential of a principal that the table does not have yet is newer than
    /// the table: load it rather than refuse.
    async fn principal(&self, id: PrincipalId) -> Option<Arc<Principal>> {
        if let Some(principal) = self.tables.current().principal(id) {
            return Some(Arc::clone(principal));
        }
        let tables = Arc::clone(&self.tables);
        let polled = self.runtime.spawn(async move { tables.poll().await });
        polled.await.ok()?.ok()?;
        self.tables.current().principal(id).cloned()
    }
}
