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
use crate::domain::{Email, Principal, SessionId};
use crate::store::api::ApiRequest;
use crate::store::{Attempt, Author, Claims, Done, Failures, Rehashed, StoreError};

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
        device: Option<&str>,
    ) -> Result<Begun, Refusal> {
        let name = normal(&typed.name);
        let email = name.parse::<Email>().ok();
        let mut attempt = self.attempt(&name, &request, device);
        let mut wait = self.admit(&attempt, &request).await?;
        let elsewhere = self.attempt(&name, &request, None);
        if wait.is_some() && attempt != elsewhere {
            // Whoever guesses with another device of theirs keeps nobody out of the network's.
            attempt = elsewhere;
            wait = self.admit(&attempt, &request).await?;
        }
        if let Some(wait) = wait {
            self.refused(request, email.as_ref(), "throttled").await?;
            return Err(Refusal::Throttled(wait));
        }
        if let Some(proven) = self.prove(email.as_ref(), &typed.password).await? {
            if self.tables.current().is_closed_to_passwords(proven.id) {
                let reason = "password_login_off";
                self.refused(request, email.as_ref(), reason).await?;
                return Err(Refusal::NotByPassword);
            }
            if let Some(begun) = self.begin(request.clone(), proven, &attempt).await? {
                return Ok(begun);
            }
        }
        let reason = "credentials_wrong";
        self.refused(request, email.as_ref(), reason).await?;
        Err(Refusal::Wrong)
    }

    /// Seconds to wait; `None`: it is looked at, and counts as failed until it has not. The first
    /// who has to wait leaves an event (`sign_in.locked_out`).
    pub(super) async fn admit(
        &self,
        attempt: &Attempt,
        request: &ApiRequest,
    ) -> Result<Option<u64>, StoreError> {
        let now = self.clock.now();
        let throttle = Throttle::at(now);
        let judge = |failures: &Failures| throttle.wait(failures);
        let judged = self
            .db
            .admit(attempt, (throttle.since(), now), judge)
            .await?;
        let (failures, Some(wait)) = judged else {
            return Ok(None);
        };
        let rng = StdRng::from_os_rng();
        let mut author = Author::new(request.actor.clone(), self.clock.clone(), rng);
        let whose = (Throttle::whose(&failures), request.ip);
        self.db.note_lock_out(&mut author, attempt, whose).await?;
        Ok(Some(wait))
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
        let (Checked::Right { outdated }, Some(account), Some(email), Some(former)) =
            (checked, account, email, hash)
        else {
            return Ok(None);
        };
        let rehashed = match password {
            Some(password) if outdated => {
                let mut rng = StdRng::from_os_rng();
                let hash = self.passwords.hash(password, &mut rng).await?;
                let former = former.clone();
                Some(Rehashed { former, hash })
            }
            _ => None,
        };
        Ok(Some(Proven {
            id: account.id,
            email: email.as_str().to_owned(),
            hash: former,
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

    /// An attempt of somebody who is not known yet: of their device, if it is one that this
    /// account was signed in to with, else of their network.
    pub(super) fn attempt(
        &self,
        name: &str,
        request: &ApiRequest,
        device: Option<&str>,
    ) -> Attempt {
        let device = device.and_then(|shown| self.device(name, shown));
        Attempt {
            account: self.account(name.as_bytes()),
            source: device.unwrap_or_else(|| throttle::source(request.ip)),
        }
    }

    /// An attempt of who is signed in already: nobody else's count against them.
    pub(super) fn attempt_signed_in(&self, of: &Principal, session: SessionId) -> Attempt {
        Attempt {
            account: self.account(of.id.0.as_bytes()),
            source: format!("session:{session}"),
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
        "password_login_off" | "sso_not_invited" | "sso_account_exists" => 403,
        "sso_unavailable" => 503,
        "link_invalid" => 404,
        _ => 401,
    }
}

/// One spelling of a name: what looks alike counts as one.
pub(super) fn normal(name: &str) -> String {
    name.trim().nfkc().collect::<String>().to_lowercase()
}
