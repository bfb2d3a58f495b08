//! What a browser's authenticator is asked, and what it answers.

use chrono::TimeDelta;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use super::{Refusal, SignIns};
use crate::authn::{Asked, Passkey, Passkeys};
use crate::domain::{CeremonyId, Mfa, PasskeyId, Principal, PrincipalId, SessionId};
use crate::store::{Ceremony, StoreError};

/// How long somebody has for an answer.
const PATIENCE: TimeDelta = TimeDelta::minutes(5);

/// A question.
#[derive(Debug)]
pub(in crate::control) struct Question {
    /// To be sent back with the answer.
    pub(in crate::control) ceremony: CeremonyId,
    /// For `navigator.credentials`.
    pub(in crate::control) options: Value,
}

/// An answer.
#[derive(Debug)]
pub(in crate::control) struct Answered {
    /// To which question.
    pub(in crate::control) ceremony: CeremonyId,
    /// JSON of a browser's `PublicKeyCredential`.
    pub(in crate::control) credential: String,
}

/// Somebody's passkeys: which, and what is on record of each.
pub(super) type Present = (Vec<PasskeyId>, Vec<Passkey>);

impl SignIns {
    /// Whether there are passkeys here at all.
    pub(in crate::control) fn has_passkeys(&self) -> bool {
        self.passkeys().is_ok()
    }

    pub(super) fn passkeys(&self) -> Result<&Passkeys, Refusal> {
        let passkeys = self.passkeys.as_ref();
        let passkeys = passkeys.filter(|_| self.settings.mfa != Mfa::Off);
        passkeys.ok_or(Refusal::Wrong)
    }

    /// A question about these passkeys of whose session waits for one.
    pub(in crate::control) async fn ask_passkey(
        &self,
        of: PrincipalId,
        session: SessionId,
    ) -> Result<Question, Refusal> {
        let (_, present) = self.present(of).await?;
        if present.is_empty() {
            return Err(Refusal::Wrong);
        }
        let asked = self.passkeys()?.ask(&present)?;
        self.keep(asked, ceremony(), Some(session)).await
    }

    /// A question about a passkey that is to be.
    pub(in crate::control) async fn ask_new_passkey(
        &self,
        of: &Principal,
        session: SessionId,
    ) -> Result<Question, Refusal> {
        let (_, present) = self.present(of.id).await?;
        let passkeys = self.passkeys()?;
        let asked = passkeys.ask_new(of.id, of.label(), &of.name, &present)?;
        self.keep(asked, ceremony(), Some(session)).await
    }

    pub(super) async fn present(&self, of: PrincipalId) -> Result<Present, Refusal> {
        let stored = self.db.passkeys(of).await?;
        let ids = stored.iter().map(|it| it.id).collect();
        let passkeys = stored.iter().map(|it| Passkey::from_record(&it.passkey));
        Ok((ids, passkeys.collect::<Result<_, _>>()?))
    }

    pub(super) async fn keep(
        &self,
        asked: Asked,
        ceremony: CeremonyId,
        session: Option<SessionId>,
    ) -> Result<Question, Refusal> {
        let now = self.clock.now();
        let kept = Ceremony {
            id: ceremony,
            session,
            state: asked.state,
            expires_at: now + PATIENCE,
        };
        self.db.begin_ceremony(&kept, now).await?;
        let options = asked.options;
        Ok(Question { ceremony, options })
    }

    /// What an answer is held against, once.
    pub(super) async fn asked(
        &self,
        answered: &Answered,
        session: Option<SessionId>,
    ) -> Result<Value, Refusal> {
        let now = self.clock.now();
        let asked = self.db.take_ceremony(answered.ceremony, session, now);
        asked.await?.ok_or(Refusal::Wrong)
    }
}

/// A name for a question, which nobody can guess.
pub(super) fn ceremony() -> CeremonyId {
    let bytes = StdRng::from_os_rng().random();
    CeremonyId(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// What is to be put on record of a passkey that was used.
pub(super) fn record(passkey: &Passkey) -> Result<Value, StoreError> {
    let record = passkey.to_record();
    record.map_err(|error| StoreError::Corrupt(error.to_string()))
}
