//! Another password, by who knows the one they have.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Refusal, SEE_OTHER, SignIns, Terms};
use crate::authn::{BreachedPasswords, Checked, Password, UnfitPassword};
use crate::domain::{Principal, Session, SessionId, SessionToken};
use crate::store::api::ApiRequest;
use crate::store::{Claims, StoreError};

/// What somebody typed.
#[derive(Debug)]
pub(in crate::control) struct Change {
    pub(in crate::control) current: SecretString,
    pub(in crate::control) new: SecretString,
    pub(in crate::control) again: SecretString,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::control) enum Changed {
    /// All sessions have ended; this one takes the place of that of the request.
    Done(SessionToken),
    /// The new one is none.
    Unfit(UnfitPassword),
    /// The two new ones differ.
    Differs,
}

impl SignIns {
    /// Changes the password of somebody signed in (`password.changed`).
    pub(in crate::control) async fn change_password(
        &self,
        request: ApiRequest,
        of: &Principal,
        former: SessionId,
        typed: &Change,
    ) -> Result<Changed, Refusal> {
        if typed.new.expose_secret() != typed.again.expose_secret() {
            return Ok(Changed::Differs);
        }
        let new = match Password::parse(&typed.new) {
            Ok(new) => new,
            Err(unfit) => return Ok(Changed::Unfit(unfit)),
        };
        let attempt = self.attempt_signed_in(of, former);
        if let Some(wait) = self.admit(&attempt, &request).await? {
            self.not_renewed(request, of, "throttled").await?;
            return Err(Refusal::Throttled(wait));
        }
        let current = Password::parse(&typed.current).ok();
        let hash = self.db.password_of(of.id).await?;
        if self.passwords.check(current, hash).await? == Checked::Wrong {
            self.not_renewed(request, of, "credentials_wrong").await?;
            return Err(Refusal::Wrong);
        }
        if self.is_breached(&new).await? {
            return Ok(Changed::Unfit(UnfitPassword::Breached));
        }
        let mut rng = StdRng::from_os_rng();
        let hash = self.passwords.hash(new, &mut rng).await?;
        let token = SessionToken::generate(&mut rng);
        // What else they proved who they are by, they go on with.
        let former = self.on_record(former).await?.ok_or(Refusal::Wrong)?;
        // A password alone is no recent sign-in, and no longer life.
        let terms = Terms::complete(former.methods);
        let session = Session {
            created_at: former.created_at,
            authenticated_at: former.authenticated_at,
            expires_at: former.expires_at,
            vouched_by: former.vouched_by,
            ..self.session(&token, of.id, &request, &terms)
        };
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        change.forgive(&attempt).await?;
        // One that has ended meanwhile does not go on.
        change.end_session(of.id, former.id).await?;
        let done = change.change_password(of.id, &hash).await?;
        change.begin_session(&session, &[]).await?;
        change.takes_place_of(former.id, session.id).await?;
        change.commit(done, SEE_OTHER).await?;
        Ok(Changed::Done(token))
    }

    /// A list that cannot be read lets nothing pass.
    pub(super) async fn is_breached(&self, new: &Password) -> Result<bool, StoreError> {
        let Some(file) = self.settings.breached_passwords.clone() else {
            return Ok(false);
        };
        let known = BreachedPasswords::new(file);
        let found = known.contain(new).await;
        found.map_err(|error| StoreError::Unavailable(format!("`breached_passwords`: {error}")))
    }
}
