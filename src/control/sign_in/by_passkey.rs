//! Signing in with a passkey and nothing else.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use super::passkeys::{ceremony, record};
use super::{Answered, Question, Refusal, SEE_OTHER, SignIns, Terms};
use crate::domain::{Actor, CeremonyId, Method, PasskeyId, PrincipalId, SessionToken};
use crate::store::api::ApiRequest;
use crate::store::{Attempt, Claims, StoreError};

/// Whom a passkey has proved.
struct Known {
    id: PrincipalId,
    email: String,
    passkey: PasskeyId,
    record: Value,
}

impl SignIns {
    /// A question to whoever is about to sign in. It counts as an attempt of their network until
    /// it is answered well.
    pub(in crate::control) async fn ask_anybody(
        &self,
        request: &ApiRequest,
    ) -> Result<Question, Refusal> {
        let passkeys = self.passkeys()?;
        let ceremony = ceremony();
        let attempt = self.attempt_at(ceremony, request);
        if let Some(wait) = self.admit(&attempt, request).await? {
            return Err(Refusal::Throttled(wait));
        }
        self.keep(passkeys.ask_anybody()?, ceremony, None).await
    }

    /// Signs somebody in (`session.created`, else `session.refused`).
    pub(in crate::control) async fn by_passkey(
        &self,
        request: ApiRequest,
        answered: &Answered,
    ) -> Result<SessionToken, Refusal> {
        let known = match self.known(answered).await {
            Err(Refusal::Wrong) => None,
            other => other?,
        };
        let Some(known) = known else {
            self.refused(request, None, "passkey_wrong").await?;
            return Err(Refusal::Wrong);
        };
        let attempt = self.attempt_at(answered.ceremony, &request);
        Ok(self.begin_known(request, known, &attempt).await?)
    }

    async fn known(&self, answered: &Answered) -> Result<Option<Known>, Refusal> {
        let passkeys = self.passkeys()?;
        let state = self.asked(answered, None).await?;
        let id = passkeys.claimed(&answered.credential)?;
        let Some(email) = self.db.address_of(id).await? else {
            return Ok(None);
        };
        let (ids, present) = self.present(id).await?;
        let (at, used) = passkeys.take_anybody(&answered.credential, state, present)?;
        Ok(Some(Known {
            id,
            email,
            passkey: ids[at],
            record: record(&used)?,
        }))
    }

    async fn begin_known(
        &self,
        mut request: ApiRequest,
        known: Known,
        attempt: &Attempt,
    ) -> Result<SessionToken, StoreError> {
        request.actor = Actor {
            kind: "user",
            id: Some(known.id.to_string()),
            email: Some(known.email),
        };
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        request.credential = Some(token.id().to_string());
        let terms = Terms::complete(vec![Method::Pop]);
        let session = self.session(&token, known.id, &request, &terms);
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        change.take_turn(known.id).await?;
        change.use_passkey(known.passkey, known.record).await?;
        let ended = self.accept(&mut change, &session, &[attempt]).await?;
        let done = change.begin_session(&session, &ended).await?;
        let done = self.noting_glass(done, &session);
        change.commit(done, SEE_OTHER).await?;
        Ok(token)
    }

    fn attempt_at(&self, ceremony: CeremonyId, request: &ApiRequest) -> Attempt {
        Attempt {
            account: self.account(ceremony.0.as_bytes()),
            ..self.attempt("", request, None)
        }
    }
}
