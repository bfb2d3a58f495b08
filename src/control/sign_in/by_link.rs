//! A password by a link that works once.
//!
//! Nobody is signed in by it: whoever has a second factor is asked for it as ever.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Refusal, SEE_OTHER, SignIns, throttle};
use crate::authn::{Password, UnfitPassword};
use crate::domain::{Actor, LinkToken};
use crate::store::api::ApiRequest;
use crate::store::{Attempt, Claims, Link, StoreError};

/// What came of it.
#[derive(Debug)]
pub(in crate::control) enum Given {
    /// It is the password from now on.
    Done,
    /// It is none.
    Unfit(UnfitPassword),
    /// The two differ.
    Differs,
}

impl SignIns {
    /// Whether a link works.
    pub(in crate::control) async fn is_good(&self, token: &str) -> Result<bool, StoreError> {
        let Ok(token) = token.parse::<LinkToken>() else {
            return Ok(false);
        };
        Ok(self.link(&token).await?.is_some())
    }

    /// Gives a password to whose link it is (`password.changed`, else `session.refused`).
    pub(in crate::control) async fn by_link(
        &self,
        request: ApiRequest,
        token: &str,
        (new, again): (&SecretString, &SecretString),
    ) -> Result<Given, Refusal> {
        let token = token.parse::<LinkToken>().ok();
        let attempt = Attempt {
            // Nobody's guesses keep others from their own link.
            account: match &token {
                Some(token) => self.account(token.id().0.as_bytes()),
                None => self.account(b"no one-time link"),
            },
            source: throttle::source(request.ip),
        };
        if let Some(wait) = self.admit(&attempt, &request).await? {
            self.refused(request, None, "throttled").await?;
            return Err(Refusal::Throttled(wait));
        }
        let link = match &token {
            Some(token) => self.link(token).await?,
            None => None,
        };
        let (Some(token), Some(link)) = (token, link) else {
            self.refused(request, None, "link_invalid").await?;
            return Err(Refusal::Wrong);
        };
        if new.expose_secret() != again.expose_secret() {
            return Ok(Given::Differs);
        }
        let new = match Password::parse(new) {
            Ok(new) if self.is_breached(&new).await? => {
                return Ok(Given::Unfit(UnfitPassword::Breached));
            }
            Ok(new) => new,
            Err(unfit) => return Ok(Given::Unfit(unfit)),
        };
        let hash = self.passwords.hash(new, &mut StdRng::from_os_rng()).await?;
        self.give(request, &token, &link, &hash, &attempt).await
    }

    async fn give(
        &self,
        mut request: ApiRequest,
        token: &LinkToken,
        link: &Link,
        hash: &str,
        attempt: &Attempt,
    ) -> Result<Given, Refusal> {
        request.actor = Actor {
            kind: "user",
            id: Some(link.principal.to_string()),
            email: Some(link.email.clone()),
        };
        let now = self.clock.now();
        let change = self.db.act_for(Claims::Gateway, request.clone(), now);
        let mut change = change.await?;
        if !change.take_link(token.id()).await? {
            drop(change);
            self.refused(request, None, "link_invalid").await?;
            return Err(Refusal::Wrong);
        }
        change.forgive(attempt).await?;
        let done = change.change_password(link.principal, hash).await?;
        change.commit(done.detail("by", "link"), SEE_OTHER).await?;
        Ok(Given::Done)
    }

    async fn link(&self, token: &LinkToken) -> Result<Option<Link>, StoreError> {
        let link = self.db.find_link(token.id(), self.clock.now()).await?;
        Ok(link.filter(|link| self.pepper.verify(token.secret(), &link.secret_hash)))
    }
}
