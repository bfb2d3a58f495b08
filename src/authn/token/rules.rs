//! What access tokens are made and verified by.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};
use moka::sync::Cache;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};

use crate::authn::SigningKeys;
use crate::config::OAuth2;
use crate::domain::{KeyId, PrincipalId, SigningKeyId, TokenId};
use crate::policy::Rejection;

/// `typ` of their headers.
pub const ACCESS_TOKEN: &str = "at+jwt";
/// For how long one is good, in seconds.
const LIFETIME: i64 = 600;
/// Longest one that is looked at, in bytes.
const LONGEST: usize = 2048;
/// Verified ones held at most.
const CAPACITY: u64 = 10_000;
/// For how long: as they are good.
const KEPT: Duration = Duration::from_mins(10);

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessToken {
    /// Who gave it.
    pub iss: String,
    /// For whom: the same.
    pub aud: String,
    /// Who has it.
    pub sub: PrincipalId,
    /// The key that it was given for.
    pub client_id: KeyId,
    /// Its own name.
    pub jti: TokenId,
    /// Unix seconds.
    pub iat: i64,
    /// Unix seconds.
    pub exp: i64,
    /// Names of scopes, separated by blanks.
    pub scope: String,
}

/// A token whose signature was verified.
#[derive(Clone, Debug)]
struct Verified {
    token: Arc<AccessToken>,
    by: SigningKeyId,
}

/// What tokens are made and verified by.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// What they are given for.
    pub settings: Arc<OAuth2>,
    /// What signs them.
    pub keys: Arc<SigningKeys>,
    verified: Cache<[u8; 32], Verified>,
}

impl TokenRules {
    /// These.
    #[must_use]
    pub fn new(settings: Arc<OAuth2>, keys: Arc<SigningKeys>) -> Self {
        let verified = Cache::builder()
            .max_capacity(CAPACITY)
            .time_to_live(KEPT)
            .build();
        Self {
            settings,
            keys,
            verified,
        }
    }

    /// A token for a key, and what it says; `None`: there is nothing to sign it with.
    #[must_use]
    pub fn issue(
        &self,
        (principal, key): (PrincipalId, &KeyId),
        scope: String,
        now: DateTime<Utc>,
    ) -> Option<(String, AccessToken)> {
        let issuer = &*self.settings.issuer;
        let token = AccessToken {
            iss: issuer.to_owned(),
            aud: issuer.to_owned(),
            sub: principal,
            client_id: key.clone(),
            jti: TokenId::generate(now, &mut rand::rng()),
            iat: now.timestamp(),
            exp: now.timestamp() + LIFETIME,
            scope,
        };
        let known = self.keys.known();
        let claims = serde_json::to_string(&token).ok()?;
        let signed = known.signing(now)?.sign(ACCESS_TOKEN, &claims);
        let signed = signed.inspect_err(|error| tracing::error!(%error, "a token is not signed"));
        Some((signed.ok()?, token))
    }

    /// What a token says, if it is one of ours and its time is not over.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub fn read(&self, text: &str, now: DateTime<Utc>) -> Result<Arc<AccessToken>, Rejection> {
        if text.len() > LONGEST {
            return Err(Rejection::Malformed);
        }
        let digest = sha256(text.as_bytes());
        let Verified { token, by } = if let Some(verified) = self.verified.get(&digest) {
            verified
        } else {
            let verified = self.verify(text, now)?;
            self.verified.insert(digest, verified.clone());
            verified
        };
        if !self.keys.known().served(now).any(|key| *key.id() == by) {
            return Err(Rejection::Unknown);
        }
        if token.exp <= now.timestamp() {
            return Err(Rejection::Expired);
        }
        Ok(token)
    }

    fn verify(&self, text: &str, now: DateTime<Utc>) -> Result<Verified, Rejection> {
        let (signed, signature) = text.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Rejection::Malformed)?;
        let known = self.keys.known();
        let key = known
            .served(now)
            .find(|key| key.header(ACCESS_TOKEN) == header);
        let key = key.ok_or(Rejection::Malformed)?;
        let signature = BASE64.decode(signature).map_err(|_| Rejection::Malformed)?;
        if !key.verify(signed, &signature) {
            return Err(Rejection::Unknown);
        }
        let claims = BASE64.decode(claims).map_err(|_| Rejection::Malformed)?;
        let token: AccessToken =
            serde_json::from_slice(&claims).map_err(|_| Rejection::Malformed)?;
        let issuer = &*self.settings.issuer;
        if token.iss != issuer || token.aud != issuer {
            return Err(Rejection::Unknown);
        }
        Ok(Verified {
            token: Arc::new(token),
            by: key.id().clone(),
        })
    }
}
