//! What SAML providers send: responses, and requests to end sessions.
//!
//! A response comes in a form from another site, with which browsers send no cookie. So what it
//! proves is kept for a moment, and whoever brought it is led to where their cookie shows that
//! they are who was sent to the provider.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::by_provider::Away;
use super::passkeys::ceremony;
use super::providers::Known;
use super::{Refusal, SignIns};
use crate::authn::{Asserted, Errand, Onward, ProviderError, SamlSignIn};
use crate::domain::{CeremonyId, ReturnPath, Slug};
use crate::store::api::ApiRequest;
use crate::store::{Ceremony, StoreError};

/// How long it may take a browser to follow to where its cookie shows.
const MOMENT: TimeDelta = TimeDelta::minutes(1);

/// What a response has proved, for the one who brought it.
#[derive(Debug, Deserialize, Serialize)]
struct Ticket {
    /// Of whose errand.
    state: Uuid,
    /// Who has said so: a response of one provider answers no errand to another.
    provider: String,
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
        let known = self.provider(of).ok()?;
        known.saml().ok()?.metadata().ok()
    }

    /// Takes a response.
    pub(in crate::control) async fn by_saml(
        &self,
        request: &ApiRequest,
        from: &str,
        (response, relay): (&str, &str),
    ) -> Result<Brought, Refusal> {
        let known = self.provider(from)?;
        let saml = known.saml()?;
        let read = match saml.read(response).await {
            Ok(read) => read,
            Err(error) => return Err(self.not_taken(request, from, error).await),
        };
        // Nothing is verified for whoever was not sent there.
        let (state, errand) = match &read.answers {
            Some(answers) => {
                let Some(state) = self.state_of(from, answers).await? else {
                    let why = "it answers nothing that was asked, or too late";
                    return Err(self.nobody(request, from, ("sso_state", why)).await);
                };
                (state, None)
            }
            None if saml.takes_unsolicited() => {
                let (state, errand) = self.unsolicited(request, &known, relay).await?;
                (state, Some(errand))
            }
            None => {
                let why = "nobody was sent there, and `allow_idp_initiated` is off";
                return Err(self.nobody(request, from, ("sso_state", why)).await);
            }
        };
        let told = match saml.verify(&read).await {
            Ok(told) => told,
            Err(error) => {
                // One errand is worth one look at a response: verifying costs more than asking.
                self.db.take_ceremony(state, None, self.clock.now()).await?;
                return Err(self.not_taken(request, from, error).await);
            }
        };
        let times = (self.clock.now(), told.until);
        let name = &known.settings.name;
        if !self.db.is_first(name, &told.id, times).await? {
            let why = "it was shown before";
            return Err(self.nobody(request, from, ("sso_replayed", why)).await);
        }
        let ticket = Ticket {
            state: state.0,
            provider: name.to_string(),
            asserted: told.asserted,
        };
        let code = ceremony();
        self.keep_for(code, json!(ticket), MOMENT).await?;
        let (state, code) = (state.0.simple(), code.0.simple());
        Ok(Brought {
            to: format!("/.portcullis/callback/{name}?state={state}&code={code}"),
            errand,
        })
    }

    /// What a response of this provider has proved of who was sent there with this state, once.
    pub(super) async fn redeemed(
        &self,
        (from, state): (&Slug, CeremonyId),
        errand: &Errand,
        code: &str,
    ) -> Result<Asserted, ProviderError> {
        let refused = || ProviderError::Refused("it was kept for nobody, or too long ago".into());
        let code = CeremonyId(code.parse().map_err(|_| refused())?);
        let taken = self.db.take_ceremony(code, None, self.clock.now()).await;
        let kept = taken.map_err(|error| ProviderError::Unavailable(error.to_string()))?;
        let ticket = kept.and_then(|kept| serde_json::from_value::<Ticket>(kept).ok());
        let ticket = ticket
            .filter(|ticket| ticket.state == state.0 && ticket.provider == from.as_str())
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
        let known = self.provider(from)?;
        let saml = known.saml()?;
        let attempt = self.attempt_away(ceremony(), request);
        if let Some(wait) = self.admit(&attempt, request).await? {
            return Err(Refusal::Throttled(wait));
        }
        let (asked, relay) = match message {
            LogoutMessage::Form(encoded, relay) => (saml.asked_by_form(encoded).await, relay),
            LogoutMessage::Query(query, relay) => (saml.asked_by_query(query).await, relay),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(error) => return Err(self.not_taken(request, from, error).await),
        };
        self.end_once(request, &known, &asked).await?;
        self.db.forgive(&attempt).await?;
        let id = ceremony().0.simple().to_string();
        let answered = saml.logged_out(&asked, (&id, relay)).await;
        answered.map_err(|error| {
            tracing::error!(provider = from, %error, "it cannot be answered");
            Refusal::Away
        })
    }

    /// The errand that a response says to answer, if it is one to the provider that says so.
    async fn state_of(&self, from: &str, answers: &str) -> Result<Option<CeremonyId>, StoreError> {
        let state = SamlSignIn::state_of(answers).and_then(|state| state.parse().ok());
        let Some(state) = state.map(CeremonyId) else {
            return Ok(None);
        };
        let kept = self.db.ceremony_waiting(state, self.clock.now()).await?;
        let away = kept.and_then(|kept| serde_json::from_value::<Away>(kept).ok());
        Ok(away.filter(|away| away.provider == from).map(|_| state))
    }

    /// An errand for somebody who was not sent. It counts as an attempt of their network until
    /// they are signed in.
    async fn unsolicited(
        &self,
        request: &ApiRequest,
        known: &Known,
        relay: &str,
    ) -> Result<(CeremonyId, String), Refusal> {
        let state = ceremony();
        let attempt = self.attempt_away(state, request);
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
        self.keep_for(state, json!(away), MOMENT).await?;
        Ok((state, errand))
    }

    async fn keep_for(
        &self,
        id: CeremonyId,
        state: serde_json::Value,
        lasts: TimeDelta,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let kept = Ceremony {
            id,
            session: None,
            state,
            expires_at: now + lasts,
        };
        self.db.begin_ceremony(&kept, now).await
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
