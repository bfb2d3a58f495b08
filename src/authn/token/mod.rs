//! Access tokens: what a key of a service account is exchanged for, for ten minutes (RFC 9068).
//!
//! Only the gateway makes them, so only what it would have written is read: one header for each
//! key, letter by letter, and claims without anything beside them. A token is as good as the key
//! that it was given for, which is looked at each time.

mod rules;

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

pub use self::rules::{ACCESS_TOKEN, AccessToken, TokenRules};
use super::api_key::is_good;
use super::finder::{Finder, Stored};
use super::{Authenticator, Caller};
use crate::cache::{CachedKey, Entry, KeyEntry, RevokedTokens};
use crate::clock::Clock;
use crate::config::OAuth2;
use crate::domain::TokenId;
use crate::policy::{Authentication, CredentialLimits, Rejection};
use crate::store::{Db, StoreError};
use crate::telemetry::Metrics;

/// Which tokens were revoked.
#[derive(Clone, Debug)]
pub(super) struct Revoked(Db);

impl Stored for Revoked {
    type Id = TokenId;
    type Value = ();

    async fn load(&self, id: &TokenId) -> Result<Option<()>, StoreError> {
        Ok(self.0.is_token_revoked(*id).await?.then_some(()))
    }
}

/// What the authenticator knows of tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    rules: TokenRules,
    revoked: Finder<Revoked>,
}

impl Tokens {
    pub(super) fn new(
        rules: TokenRules,
        db: Db,
        cache: Arc<RevokedTokens>,
        clock: Clock,
        metrics: &Metrics,
    ) -> Self {
        let counted = metrics.caches.of("revoked_tokens");
        Self {
            rules,
            revoked: Finder::new(Revoked(db), cache, clock, counted),
        }
    }
}

/// Whether it has the form of a token at all: a key has no dots.
pub(super) fn is_token(secret: &SecretString) -> bool {
    secret.expose_secret().contains('.')
}

impl Authenticator {
    pub(super) async fn token(
        &self,
        tokens: &Tokens,
        secret: &SecretString,
        caller: Caller<'_>,
    ) -> Authentication {
        let now = self.clock.now();
        let token = match tokens.rules.read(secret.expose_secret(), now) {
            Ok(token) => token,
            Err(why) => return Authentication::Rejected(why),
        };
        if self.tables.is_stale() {
            return Authentication::Unavailable;
        }
        let found = async {
            let revoked = tokens.revoked.find(&token.jti).await?;
            Ok::<_, StoreError>((revoked, self.keys.find(&token.client_id).await?))
        };
        let (revoked, key) = match found.await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, key = %token.client_id, "a token cannot be looked up");
                return Authentication::Unavailable;
            }
        };
        let KeyEntry::Found(key) = key else {
            return Authentication::Rejected(Rejection::Unknown);
        };
        if matches!(revoked, Entry::Found(_)) {
            return Authentication::Rejected(Rejection::Revoked);
        }
        if let Err(why) = is_good(&key, caller, now) {
            return Authentication::Rejected(why);
        }
        if key.key.principal != token.sub {
            return Authentication::Rejected(Rejection::Unknown);
        }
        let limits = Arc::new(self.narrowed(&tokens.rules.settings, &token, &key));
        match self.admit(token.sub, &limits).await {
            Ok(subject) => {
                self.usage.note_key(&key, now, caller);
                Authentication::Authenticated(subject)
            }
            Err(why) => Authentication::Rejected(why),
        }
    }

    /// The limits of the key, and those of the token within them.
    fn narrowed(
        &self,
        settings: &OAuth2,
        token: &AccessToken,
        key: &CachedKey,
    ) -> CredentialLimits {
        let catalogue = self.tables.catalogue();
        key.limits
            .within(settings.permissions(&token.scope, &catalogue), &token.scope)
    }
}
