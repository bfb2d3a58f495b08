//! Setting up second factors, and taking them away.
//!
//! Either is a change of what somebody can do: their session gets another id, and all others
//! end.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::passkeys::record;
use super::{Answered, Refusal, SEE_OTHER, SignIns, Terms};
use crate::authn::{RecoveryCode, Totp};
use crate::domain::{
    Method, Mfa, PasskeyId, Principal, PrincipalId, SecretHash, Session, SessionId, SessionToken,
};
use crate::store::api::{ApiRequest, ApiTx};
use crate::store::{Claims, Done, Factors, StoreError};

const OK: u16 = 200;
/// Longest name of a passkey, in characters.
const MAX_NAME: usize = 64;

/// A secret for somebody's app.
#[derive(Debug)]
pub(in crate::control) struct Proposal {
    /// As it is typed.
    pub(in crate::control) typed: String,
    /// As it is read from a QR code.
    pub(in crate::control) uri: String,
    /// As it is sent back, with a code of the app.
    pub(in crate::control) sealed: String,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::control) struct Added {
    /// Of the session that goes on.
    pub(in crate::control) token: SessionToken,
    /// To be shown once, if this is the first factor.
    pub(in crate::control) recovery_codes: Vec<RecoveryCode>,
}

impl SignIns {
    /// Whether people can have second factors.
    pub(in crate::control) fn has_factors(&self) -> bool {
        self.settings.mfa != Mfa::Off
    }

    /// What somebody has set up.
    pub(in crate::control) async fn factors(&self, of: PrincipalId) -> Result<Factors, StoreError> {
        self.db.factors(of).await
    }

    /// Proposes a secret. Nothing is on record of it until a code proves that the app has it.
    pub(in crate::control) fn propose_totp(&self, of: &Principal, session: SessionId) -> Proposal {
        let mut rng = StdRng::from_os_rng();
        let totp = Totp::generate(&mut rng);
        let purpose = proposal(of.id, session);
        proposed(
            of,
            &totp,
            &self.seal.seal(&purpose, totp.secret(), &mut rng),
        )
    }

    /// The same again, as it came back.
    pub(in crate::control) fn propose_again(
        &self,
        of: &Principal,
        session: SessionId,
        sealed: &str,
    ) -> Option<Proposal> {
        let totp = self.opened(of.id, session, sealed)?;
        Some(proposed(of, &totp, &BASE64.decode(sealed).ok()?))
    }

    fn opened(&self, of: PrincipalId, session: SessionId, sealed: &str) -> Option<Totp> {
        let sealed = BASE64.decode(sealed).ok()?;
        Totp::from_secret(self.seal.open(&proposal(of, session), &sealed)?.secret)
    }

    /// Sets up an app by its first code (`factor.added`).
    pub(in crate::control) async fn add_totp(
        &self,
        request: ApiRequest,
        of: &Principal,
        session: SessionId,
        (sealed, code): (&str, &str),
    ) -> Result<Added, Refusal> {
        let totp = self.opened(of.id, session, sealed);
        let totp = totp.filter(|_| self.has_factors()).ok_or(Refusal::Wrong)?;
        let code: String = code.split_whitespace().collect();
        let step = totp.step_of(&code, self.clock.now());
        let step = step.ok_or(Refusal::Wrong)?;
        let mut rng = StdRng::from_os_rng();
        let purpose = of.id.to_string();
        let sealed = self.seal.seal(&purpose, totp.secret(), &mut rng);
        let mut renewal = self
            .renewal(request, of, session, Some(Method::Otp))
            .await?;
        let done = renewal.change.add_totp(of.id, &sealed, step).await?;
        Ok(self.added(renewal, done).await?)
    }

    /// Sets up a passkey (`factor.added`).
    pub(in crate::control) async fn add_passkey(
        &self,
        request: ApiRequest,
        of: &Principal,
        session: SessionId,
        (answered, name): (&Answered, &str),
    ) -> Result<Added, Refusal> {
        let state = self.asked(answered, Some(session)).await?;
        let passkey = self.passkeys()?.take_new(&answered.credential, state)?;
        let name: String = name.trim().chars().take(MAX_NAME).collect();
        let name = if name.is_empty() { "Passkey" } else { &*name };
        let record = record(&passkey)?;
        let mut renewal = self
            .renewal(request, of, session, Some(Method::Pop))
            .await?;
        let id = passkey.credential_id();
        let done = renewal.change.add_passkey(of.id, name, id, record).await?;
        Ok(self.added(renewal, done).await?)
    }

    /// Takes a passkey away, or the app if none is named (`factor.removed`).
    pub(in crate::control) async fn remove_factor(
        &self,
        request: ApiRequest,
        of: &Principal,
        session: SessionId,
        passkey: Option<PasskeyId>,
    ) -> Result<SessionToken, StoreError> {
        let present = self.db.factors(of.id).await?;
        let left = present.passkeys.len() + usize::from(present.totp);
        let mut renewal = self.renewal(request, of, session, None).await?;
        let done = match passkey {
            Some(passkey) => renewal.change.remove_passkey(of.id, passkey).await?,
            None => renewal.change.remove_totp(of.id).await?,
        };
        if left == 1 {
            renewal.change.forget_recovery_codes(of.id).await?;
        }
        renewal.commit(done).await
    }

    /// Makes new recovery codes in the place of the former ones (`recovery_codes.created`).
    pub(in crate::control) async fn new_recovery_codes(
        &self,
        request: ApiRequest,
        of: PrincipalId,
    ) -> Result<Vec<RecoveryCode>, Refusal> {
        if !self.db.factors(of).await?.any() {
            return Err(Refusal::Wrong);
        }
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        let (codes, hashes) = self.codes(of);
        let done = change.put_recovery_codes(of, &hashes).await?;
        change.commit(done, OK).await?;
        Ok(codes)
    }

    fn codes(&self, of: PrincipalId) -> (Vec<RecoveryCode>, Vec<SecretHash>) {
        let mut rng = StdRng::from_os_rng();
        let codes = (0..RecoveryCode::COUNT).map(|_| RecoveryCode::generate(&mut rng));
        codes
            .map(|code| {
                let hash = code.hash(&self.pepper, of);
                (code, hash)
            })
            .unzip()
    }

    async fn added(&self, mut renewal: Renewal, done: Done) -> Result<Added, StoreError> {
        let of = renewal.session.principal;
        let present = self.db.factors(of).await?;
        let mut recovery_codes = Vec::new();
        if !present.any() {
            let (codes, hashes) = self.codes(of);
            renewal.change.put_recovery_codes(of, &hashes).await?;
            recovery_codes = codes;
        }
        let token = renewal.commit(done).await?;
        Ok(Added {
            token,
            recovery_codes,
        })
    }

    /// A change after which this session goes on under another id, its holder having proved one
    /// more factor or the same ones.
    async fn renewal(
        &self,
        request: ApiRequest,
        of: &Principal,
        session: SessionId,
        proved: Option<Method>,
    ) -> Result<Renewal, StoreError> {
        let former = self.on_record(session).await?;
        let former = former.filter(|former| !former.pending && former.principal == of.id);
        let former = former.ok_or_else(|| StoreError::NotFound {
            kind: "session",
            name: session.to_string(),
        })?;
        let mut methods = former.methods;
        methods.extend(proved.filter(|method| !methods.contains(method)));
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        let mut session = self.session(&token, of.id, &request, &Terms::complete(methods));
        session.authenticated_at = former.authenticated_at;
        session.expires_at = former.expires_at;
        session.vouched_by = former.vouched_by;
        let now = self.clock.now();
        let change = self.db.act_for(Claims::Gateway, request, now).await?;
        Ok(Renewal {
            change,
            former: former.id,
            glass: self.glass(&session),
            session,
            token,
        })
    }
}

/// A change under way.
struct Renewal {
    change: ApiTx,
    former: SessionId,
    session: Session,
    token: SessionToken,
    /// The tenants that it may come in to without their providers' word.
    glass: Vec<String>,
}

impl Renewal {
    async fn commit(mut self, done: Done) -> Result<SessionToken, StoreError> {
        let of = self.session.principal;
        // One that has ended meanwhile does not go on.
        self.change.end_session(of, self.former).await?;
        let ended = self.change.end_all_sessions(of).await?;
        self.change.begin_session(&self.session, &[]).await?;
        let (former, new) = (self.former, self.session.id);
        self.change.takes_place_of(former, new).await?;
        let ended: Vec<_> = ended.iter().map(ToString::to_string).collect();
        let done = done
            .detail("sessions_ended", ended.len())
            .detail("ended", ended)
            .detail("session", self.session.id.to_string());
        let done = if self.glass.is_empty() {
            done
        } else {
            done.detail("break_glass", self.glass)
        };
        self.change.commit(done, SEE_OTHER).await?;
        Ok(self.token)
    }
}

fn proposal(of: PrincipalId, session: SessionId) -> String {
    format!("proposal to {of} in {session}")
}

fn proposed(of: &Principal, totp: &Totp, sealed: &[u8]) -> Proposal {
    Proposal {
        typed: totp.typed(),
        uri: totp.uri(of.label()),
        sealed: BASE64.encode(sealed),
    }
}
