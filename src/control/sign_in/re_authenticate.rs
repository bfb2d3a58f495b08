//! Who is signed in proves anew that it is them: what is sensitive wants that (RFC 9470).

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::SecretString;

use super::by_password::status_of;
use super::{Answered, Begun, Refusal, SEE_OTHER, SignIns, Terms};
use crate::authn::{Checked, Password};
use crate::domain::{Method, Principal, SessionId, SessionToken};
use crate::store::api::ApiRequest;
use crate::store::{Claims, Done, StoreError};

impl SignIns {
    /// A session that takes the place of this one (`session.created`), else `session.refused`.
    ///
    /// It counts from now in every way, and the former one has ended: an id that was known
    /// before gains nothing.
    pub(in crate::control) async fn re_authenticate(
        &self,
        request: ApiRequest,
        of: &Principal,
        former: SessionId,
        typed: &SecretString,
    ) -> Result<Begun, Refusal> {
        let attempt = self.attempt_signed_in(of, former);
        if let Some(wait) = self.admit(&attempt, &request).await? {
            self.not_renewed(request, of, "throttled").await?;
            return Err(Refusal::Throttled(wait));
        }
        let typed = Password::parse(typed).ok();
        let hash = self.db.password_of(of.id).await?;
        let checked = self.passwords.check(typed, hash.clone()).await?;
        if checked == Checked::Wrong || self.tables.current().is_closed_to_passwords(of.id) {
            self.not_renewed(request, of, "credentials_wrong").await?;
            return Err(Refusal::Wrong);
        }
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        let now = self.clock.now();
        let change = self.db.act_for(Claims::Gateway, request.clone(), now);
        let mut change = change.await?;
        change.take_turn(of.id).await?;
        if change.password_of(of.id).await? != hash {
            drop(change);
            self.not_renewed(request, of, "credentials_wrong").await?;
            return Err(Refusal::Wrong);
        }
        let terms = self.by_one_factor(&mut change, of.id, Method::Pwd).await?;
        let mut session = self.session(&token, of.id, &request, &terms);
        self.resting_on(former, &mut session).await?;
        if !terms.pending {
            change.forgive(&attempt).await?;
        }
        // One that has ended meanwhile, by a new password say, is not renewed.
        change.end_session(of.id, former).await?;
        let done = change.begin_session(&session, &[former]).await?;
        let done = self.noting_glass(done, &session);
        change.takes_place_of(former, session.id).await?;
        change.commit(done, SEE_OTHER).await?;
        let pending = terms.pending;
        Ok(Begun {
            token,
            pending,
            device: None,
        })
    }

    /// As [`SignIns::re_authenticate`], by a passkey, which is two factors.
    pub(in crate::control) async fn re_authenticate_by_passkey(
        &self,
        request: ApiRequest,
        of: &Principal,
        former: SessionId,
        answered: &Answered,
    ) -> Result<Begun, Refusal> {
        let proved = match self.passkey(of.id, Some(former), answered).await {
            Err(Refusal::Wrong) => {
                self.not_renewed(request, of, "passkey_wrong").await?;
                return Err(Refusal::Wrong);
            }
            proved => proved?,
        };
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        let terms = Terms::complete(vec![Method::Pop]);
        let mut session = self.session(&token, of.id, &request, &terms);
        self.resting_on(former, &mut session).await?;
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        change.take_turn(of.id).await?;
        let (passkey, record) = proved;
        change.use_passkey(passkey, record).await?;
        change.end_session(of.id, former).await?;
        let done = change.begin_session(&session, &[former]).await?;
        let done = self.noting_glass(done, &session);
        change.takes_place_of(former, session.id).await?;
        change.commit(done, SEE_OTHER).await?;
        Ok(Begun {
            token,
            pending: false,
            device: None,
        })
    }

    pub(super) async fn not_renewed(
        &self,
        request: ApiRequest,
        of: &Principal,
        reason: &'static str,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let change = self.db.act_for(Claims::Gateway, request, now).await?;
        let done = Done::new("session.refused", "account", of.label()).refused(reason);
        change.commit(done, status_of(reason)).await
    }
}
