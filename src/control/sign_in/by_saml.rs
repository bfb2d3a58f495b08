//! What SAML providers send: responses, and requests to end sessions.
//!
//! A response comes in a form from another site, with which browsers send no cookie. So what it
//! proves is kept for a moment, and whoever brought it is led to where their cookie shows that
//! they are who was sent to the provider.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::by_provider::{Away, Known};
use super::passkeys::ceremony;
use super::{Refusal, SignIns};
use crate::authn::{Asserted, Errand, Onward, ProviderError, SamlSignIn, SignInProvider};
use crate::domain::{CeremonyId, ReturnPath};
use crate::store::api::ApiRequest;
use crate::store::{Ceremony, StoreError};

/// How long it may take a browser to follow to where its cookie shows.
const MOMENT: TimeDelta = TimeDelta::minutes(1);

/// What a response has proved, for the one who brought it.
#[derive(Debug, Deserialize, Serialize)]
struct Ticket {
    /// Of whose errand.
    state: Uuid,
    asserted: Asserted,
}

/// Where somebody who brought a response goes.
#[derive(Debug)]
pub(in crate::control) struct Brought {
    pub(in crate::control) to: String,
    /// For their browser, if it was not sent to the provider.
    pub(in crate::control) errand: Option<String>,
}

/// A provider's request to end sessions, as it came.
#[derive(Debug)]
pub(in crate::control) enum LogoutMessage<'a> {
    /// In a form; with what it is to be given back.
    Form(&'a str, &'a str),
    /// In an address.
    Query(&'a str, &'a str),
}

impl SignIns {
    /// What a provider is told of us; `None` if it is none that is spoken to by SAML.
    pub(in crate::control) fn saml_metadata(&self, of: &str) -> Option<String> {
        let (_, saml) = self.saml(of).ok()?;
        saml.metadata().ok()
    }

    /// Takes a response.
    pub(in crate::control) async fn by_saml(
        &self,
        request: &ApiRequest,
        from: &str,
        (response, relay): (&str, &str),
    ) -> Result<Brought, Refusal> {
        let (known, saml) = self.saml(from)?;
        let read = match saml.read(response) {
            Ok(read) => read,
            Err(error) => return Err(self.not_taken(request, from, error).await),
        };
        // Nothing is verified for whoever was not sent there.
        let (state, errand) = match &read.answers {
            Some(answers) => {
                let Some(state) = self.state_of(answers).await? else {
                    let why = "it answers nothing that was asked, or too late";
                    return Err(self.nobody(request, from, ("sso_state", why)).await);
                };
                (state, None)
            }
            None if saml.takes_unsolicited() => {
                let (state, errand) = self.unsolicited(request, known, relay).await?;
                (state, Some(errand))
            }
            None => {
                let why = "nobody was sent there, and `allow_idp_initiated` is off";
                return Err(self.nobody(request, from, ("sso_state", why)).await);
            }
        };
        let told = match saml.verify(&read).await {
            Ok(told) => told,
            Err(error) => return Err(self.not_taken(request, from, error).await),
        };
        let times = (self.clock.now(), told.until);
        let name = &known.settings.name;
        if !self.db.is_first(name, &told.id, times).await? {
            let why = "it was shown before";
            return Err(self.nobody(request, from, ("sso_replayed", why)).await);
        }
        let ticket = Ticket {
            state: state.0,
            asserted: told.asserted,
        };
        let code = self.keep_for(json!(ticket), MOMENT).await?;
        let (state, code) = (state.0.simple(), code.0.simple());
        Ok(Brought {
            to: format!("/.portcullis/callback/{name}?state={state}&code={code}"),
            errand,
        })
    }

    /// What a response has proved of who was sent with this state, once.
    pub(super) async fn redeemed(
        &self,
        state: CeremonyId,
        errand: &Errand,
        code: &str,
    ) -> Result<Asserted, ProviderError> {
        let refused = || ProviderError::Refused("it was kept for nobody, or too long ago".into());
        let code = CeremonyId(code.parse().map_err(|_| refused())?);
        let taken = self.db.take_ceremony(code, None, self.clock.now()).await;
        let kept = taken.map_err(|error| ProviderError::Unavailable(error.to_string()))?;
        let ticket = kept.and_then(|kept| serde_json::from_value::<Ticket>(kept).ok());
        let ticket = ticket
            .filter(|ticket| ticket.state == state.0)
            .ok_or_else(refused)?;
        SamlSignIn::recall(errand, &ticket.asserted)?;
        Ok(ticket.asserted)
    }

    /// Ends the sessions that a provider says have ended there; says where its user goes.
    pub(in crate::control) async fn saml_logout(
        &self,
        request: &ApiRequest,
        from: &str,
        message: LogoutMessage<'_>,
    ) -> Result<Option<Onward>, Refusal> {
        let (known, saml) = self.saml(from)?;
        let (asked, relay) = match message {
            LogoutMessage::Form(encoded, relay) => (saml.asked_by_form(encoded).await, relay),
            LogoutMessage::Query(query, relay) => (saml.asked_by_query(query).await, relay),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(error) => return Err(self.not_taken(request, from, error).await),
        };
        self.end_once(request, known, &asked).await?;
        let id = ceremony().0.simple().to_string();
        let answered = saml.logged_out(&asked, (&id, relay)).await;
        answered.map_err(|error| {
            tracing::error!(provider = from, %error, "it cannot be answered");
            Refusal::Away
        })
    }

    fn saml(&self, name: &str) -> Result<(&Known, &SamlSignIn), Refusal> {
        let known = self.provider(name)?;
        match &known.service {
            SignInProvider::Saml(saml) => Ok((known, saml)),
            _ => Err(Refusal::Wrong),
        }
    }

    /// The errand that a response says to answer, if it is one.
    async fn state_of(&self, answers: &str) -> Result<Option<CeremonyId>, StoreError> {
        let state = SamlSignIn::state_of(answers).and_then(|state| state.parse().ok());
        let Some(state) = state.map(CeremonyId) else {
            return Ok(None);
        };
        let waits = self.db.has_ceremony(state, self.clock.now()).await?;
        Ok(waits.then_some(state))
    }

    /// An errand for somebody who was not sent. It counts as an attempt of their network until
    /// they are signed in.
    async fn unsolicited(
        &self,
        request: &ApiRequest,
        known: &Known,
        relay: &str,
    ) -> Result<(CeremonyId, String), Refusal> {
        let attempt = self.attempt_away(ceremony(), request);
        if let Some(wait) = self.admit(&attempt, request).await? {
            return Err(Refusal::Throttled(wait));
        }
        let errand = ceremony().0.simple().to_string();
        let back: ReturnPath = relay.parse().unwrap_or_default();
        let away = Away {
            provider: known.settings.name.to_string(),
            errand: errand.clone(),
            back: back.as_str().to_owned(),
            secrets: Errand::default(),
        };
        Ok((self.keep_for(json!(away), MOMENT).await?, errand))
    }

    async fn keep_for(
        &self,
        state: serde_json::Value,
        lasts: TimeDelta,
    ) -> Result<CeremonyId, StoreError> {
        let (id, now) = (ceremony(), self.clock.now());
        let kept = Ceremony {
            id,
            session: None,
            state,
            expires_at: now + lasts,
        };
        self.db.begin_ceremony(&kept, now).await?;
        Ok(id)
    }

    pub(super) async fn not_taken(
        &self,
        request: &ApiRequest,
        from: &str,
        error: ProviderError,
    ) -> Refusal {
        match error {
            ProviderError::Refused(why) => self.nobody(request, from, ("sso_refused", &why)).await,
            ProviderError::Unavailable(why) => {
                let told = ("sso_unavailable", &*why);
                match self.nobody(request, from, told).await {
                    Refusal::Wrong => Refusal::Away,
                    failed => failed,
                }
            }
        }
    }
}
