//! The other factor of who has proved one.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::by_password::normal;
use super::passkeys::record;
use super::{Answered, Begun, Refusal, SEE_OTHER, SignIns, Terms};
use crate::authn::{Opened, RecoveryCode, Totp};
use crate::domain::{
    Method, PasskeyId, Principal, PrincipalId, SecretHash, Session, SessionId, SessionToken,
};
use crate::store::api::{ApiRequest, ApiTx};
use crate::store::{Attempt, Claims, StoreError};

/// What somebody proves their second factor by.
#[derive(Debug)]
pub(in crate::control) enum Proof {
    /// A code: of their app, or for recovery.
    Code(SecretString),
    /// Their passkey.
    Passkey(Answered),
}

/// A proof that holds. What is good for once is yet to be spent.
enum Accepted {
    /// Its step, and its secret if it is to be sealed anew.
    App(i64, Option<Vec<u8>>),
    Recovery(SecretHash),
    Passkey(PasskeyId, Value),
}

impl Accepted {
    const fn method(&self) -> Method {
        match self {
            Self::App(..) | Self::Recovery(_) => Method::Otp,
            Self::Passkey(..) => Method::Pop,
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::App(..) => "totp",
            Self::Recovery(_) => "recovery_code",
            Self::Passkey(..) => "passkey",
        }
    }

    /// `false`: somebody was faster.
    async fn spend(self, change: &mut ApiTx, of: PrincipalId) -> Result<bool, StoreError> {
        match self {
            Self::App(step, resealed) => change.use_totp(of, step, resealed.as_deref()).await,
            Self::Recovery(hash) => change.use_recovery_code(of, &hash).await,
            Self::Passkey(id, record) => change.use_passkey(id, record).await.map(|()| true),
        }
    }
}

impl SignIns {
    /// The session as it is on record, if it goes on.
    pub(in crate::control) async fn on_record(
        &self,
        id: SessionId,
    ) -> Result<Option<Session>, StoreError> {
        let now = self.clock.now();
        let found = self.db.find_session(id).await?;
        Ok(found.filter(|session| session.revoked_at.is_none() && session.expires_at > now))
    }

    /// A session that takes the place of the one which waits for this (`session.created`), else
    /// `session.refused`.
    pub(in crate::control) async fn second_factor(
        &self,
        request: ApiRequest,
        of: &Principal,
        waiting: SessionId,
        (proof, device): (&Proof, Option<&str>),
    ) -> Result<Begun, Refusal> {
        let waiting = self.on_record(waiting).await?;
        let waiting = waiting.filter(|session| session.pending);
        let waiting = waiting.ok_or(Refusal::Wrong)?;
        let attempt = self.attempt_at_code(of.id);
        // Nobody guesses a passkey, nor keeps its holder out by guessing codes.
        if matches!(proof, Proof::Code(_))
            && let Some(wait) = self.admit(&attempt, &request).await?
        {
            self.not_renewed(request, of, "throttled").await?;
            return Err(Refusal::Throttled(wait));
        }
        let accepted = match self.proved(of.id, waiting.id, proof).await {
            Err(Refusal::Wrong) => None,
            other => other?,
        };
        if let Some(accepted) = accepted {
            let password = self.attempt(&normal(of.label()), &request, device);
            let attempts = [&attempt, &password];
            let completed = self.complete(request.clone(), of, waiting, accepted, &attempts);
            if let Some(token) = completed.await? {
                return Ok(Begun {
                    token,
                    pending: false,
                    device: Some(self.new_device(of.label())),
                });
            }
        }
        self.not_renewed(request, of, "second_factor_wrong").await?;
        Err(Refusal::Wrong)
    }

    /// `None`: what was proved by was taken already.
    async fn complete(
        &self,
        request: ApiRequest,
        of: &Principal,
        waiting: Session,
        accepted: Accepted,
        attempts: &[&Attempt],
    ) -> Result<Option<SessionToken>, StoreError> {
        let (method, name) = (accepted.method(), accepted.name());
        let mut methods = waiting.methods;
        methods.push(method);
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        let mut session = self.session(&token, of.id, &request, &Terms::complete(methods));
        self.resting_on(waiting.id, &mut session).await?;
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        if !accepted.spend(&mut change, of.id).await? {
            return Ok(None);
        }
        // One that has ended meanwhile is not completed.
        change.end_session(of.id, waiting.id).await?;
        let mut ended = self.accept(&mut change, &session, attempts).await?;
        ended.push(waiting.id);
        let done = change.begin_session(&session, &ended).await?;
        change.takes_place_of(waiting.id, session.id).await?;
        let done = self.noting_glass(done.detail("second_factor", name), &session);
        change.commit(done, SEE_OTHER).await?;
        Ok(Some(token))
    }

    async fn proved(
        &self,
        of: PrincipalId,
        waiting: SessionId,
        proof: &Proof,
    ) -> Result<Option<Accepted>, Refusal> {
        match proof {
            Proof::Code(typed) => self.code(of, typed.expose_secret()).await,
            Proof::Passkey(answered) => {
                let (id, record) = self.passkey(of, Some(waiting), answered).await?;
                Ok(Some(Accepted::Passkey(id, record)))
            }
        }
    }

    /// A code of six digits is of an app; what is longer, for recovery.
    async fn code(&self, of: PrincipalId, typed: &str) -> Result<Option<Accepted>, Refusal> {
        if let Some(code) = RecoveryCode::parse(typed) {
            let hash = code.hash(&self.pepper, of);
            return Ok(Some(Accepted::Recovery(hash)));
        }
        let Some(sealed) = self.db.totp(of).await? else {
            return Ok(None);
        };
        let purpose = of.to_string();
        let opened = self.seal.open(&purpose, &sealed);
        let opened = opened
            .and_then(|Opened { secret, outdated }| Some((Totp::from_secret(secret)?, outdated)));
        let (totp, outdated) = opened.ok_or_else(|| {
            let what = "the secret of an authenticator app cannot be opened: `sign_in.secrets` \
                        has not the key that it was sealed under";
            StoreError::Corrupt(what.to_owned())
        })?;
        let mut rng = StdRng::from_os_rng();
        let resealed = outdated.then(|| self.seal.seal(&purpose, totp.secret(), &mut rng));
        let typed: String = typed.split_whitespace().collect();
        let step = totp.step_of(&typed, self.clock.now());
        Ok(step.map(|step| Accepted::App(step, resealed)))
    }

    pub(super) async fn passkey(
        &self,
        of: PrincipalId,
        session: Option<SessionId>,
        answered: &Answered,
    ) -> Result<(PasskeyId, Value), Refusal> {
        let state = self.asked(answered, session).await?;
        let (ids, present) = self.present(of).await?;
        let (at, used) = self
            .passkeys()?
            .take(&answered.credential, state, present)?;
        Ok((ids[at], record(&used)?))
    }

    /// Codes are guessed at one account, wherever from: only who knows its password gets as far.
    fn attempt_at_code(&self, of: PrincipalId) -> Attempt {
        Attempt {
            account: self.account(of.0.as_bytes()),
            source: format!("codes:{of}"),
        }
    }
}
