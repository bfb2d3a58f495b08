//! Signing in with a password. Whatever is wrong, it takes the same work to say so.

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::SecretString;
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization as _;

use super::throttle::{self, Throttle};
use super::{Begun, Proven, Refusal, SignIns};
use crate::authn::{Checked, Password};
use crate::domain::Email;
use crate::store::api::ApiRequest;
use crate::store::{Attempt, Claims, Done, Rehashed, StoreError};

/// What somebody typed.
#[derive(Debug)]
pub(in crate::control) struct Typed {
    pub(in crate::control) name: String,
    pub(in crate::control) password: SecretString,
}

impl SignIns {
    /// Signs somebody in (`session.created`, else `session.refused`).
    pub(in crate::control) async fn by_password(
        &self,
        request: ApiRequest,
        typed: &Typed,
    ) -> Result<Begun, Refusal> {
        let name = normal(&typed.name);
        let email = name.parse::<Email>().ok();
        let attempt = self.attempt(&name, &request);
        if let Some(wait) = self.admit(&attempt).await? {
            self.refused(request, email.as_ref(), "throttled").await?;
            return Err(Refusal::Throttled(wait));
        }
        if let Some(proven) = self.prove(email.as_ref(), &typed.password).await? {
            return Ok(self.begin(request, proven, &attempt).await?);
        }
        let reason = "credentials_wrong";
        self.refused(request, email.as_ref(), reason).await?;
        Err(Refusal::Wrong)
    }

    /// Seconds to wait; `None`: it is looked at, and counts as failed until it has not.
    pub(super) async fn admit(&self, attempt: &Attempt) -> Result<Option<u64>, StoreError> {
        let now = self.clock.now();
        let throttle = Throttle::at(now);
        let failures = self.db.failures(attempt, throttle.since()).await?;
        let wait = throttle.wait(&failures);
        if wait.is_none() {
            let since = throttle.since();
            self.db.count_attempt(attempt, since, now).await?;
        }
        Ok(wait)
    }

    /// Who it is, if that is their password.
    async fn prove(
        &self,
        email: Option<&Email>,
        typed: &SecretString,
    ) -> Result<Option<Proven>, Refusal> {
        let account = match email {
            Some(email) => self.db.account(email).await?,
            None => None,
        };
        let password = Password::parse(typed).ok();
        let hash = account.as_ref().and_then(|account| account.hash.clone());
        let checked = self.passwords.check(password.clone(), hash.clone()).await?;
        let account = account.filter(|account| !account.disabled);
        let (Checked::Right { outdated }, Some(account), Some(email)) = (checked, account, email)
        else {
            return Ok(None);
        };
        let rehashed = match (password, hash) {
            (Some(password), Some(former)) if outdated => {
                let mut rng = StdRng::from_os_rng();
                let hash = self.passwords.hash(password, &mut rng).await?;
                Some(Rehashed { former, hash })
            }
            _ => None,
        };
        Ok(Some(Proven {
            id: account.id,
            email: email.as_str().to_owned(),
            rehashed,
        }))
    }

    pub(super) async fn refused(
        &self,
        request: ApiRequest,
        email: Option<&Email>,
        reason: &'static str,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let change = self.db.act_for(Claims::Gateway, request, now).await?;
        // Only what looks like an address is kept: people type passwords in the wrong field.
        let name = email.map_or("", Email::as_str);
        let done = Done::new("session.refused", "account", name).refused(reason);
        change.commit(done, status_of(reason)).await
    }

    pub(super) fn attempt(&self, name: &str, request: &ApiRequest) -> Attempt {
        Attempt {
            account: self.account(name.as_bytes()),
            source: throttle::source(request.ip),
        }
    }

    /// What stands for an account where attempts are counted.
    pub(super) fn account(&self, name: &[u8]) -> [u8; 32] {
        let key = self.pepper.derive(b"accounts of sign-in attempts");
        let mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
        mac.chain_update(name).finalize().into_bytes().into()
    }
}

/// What is answered to who is refused for this reason.
pub(super) fn status_of(reason: &str) -> u16 {
    match reason {
        "throttled" => 429,
        "link_invalid" => 404,
        _ => 401,
    }
}

/// One spelling of a name: what looks alike counts as one.
fn normal(name: &str) -> String {
    name.trim().nfkc().collect::<String>().to_lowercase()
}
