//! Sessions at providers: they end when those here do, and the other way round.

use chrono::{DateTime, Utc};

use super::passkeys::ceremony;
use super::providers::Known;
use super::{Refusal, SEE_OTHER, SignIns};
use crate::authn::{LogoutAsked, Onward, SessionThere, SignInProvider};
use crate::domain::{Actor, Session, SessionId};
use crate::store::api::ApiRequest;
use crate::store::{Claims, StoreError};

impl SignIns {
    /// Until when the word is good that this session rests on, if somebody has said so.
    async fn good_until(&self, session: SessionId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let kept = self.db.session_there(session).await?;
        let there = kept.map(|kept| serde_json::from_value::<SessionThere>(kept.there));
        let there = there.transpose().map_err(|error| {
            StoreError::Corrupt(format!("a session at a provider cannot be read: {error}"))
        })?;
        Ok(there.and_then(|there| there.ends_at))
    }

    /// A session that takes another one's place rests on the same word, and for no longer.
    pub(super) async fn resting_on(
        &self,
        former: SessionId,
        session: &mut Session,
    ) -> Result<(), StoreError> {
        let kept = self.on_record(former).await?;
        session.vouched_by = kept.and_then(|kept| kept.vouched_by);
        if let Some(until) = self.good_until(former).await? {
            session.expires_at = session.expires_at.min(until);
        }
        Ok(())
    }

    /// Where somebody goes to end the session, too, that this one came from; `None`: nowhere.
    pub(in crate::control) async fn there(&self, session: SessionId) -> Option<Onward> {
        let from = self.db.session_there(session).await.ok()??;
        let there: SessionThere = serde_json::from_value(from.there).ok()?;
        let provider = from.provider;
        let known = self.provider(&provider).ok()?;
        let sealed = from.sealed.unwrap_or_default();
        let kept = self.opened_tokens(&known.settings.name, &from.name, &sealed);
        let kept = kept.unwrap_or_default();
        let id = ceremony().0.simple().to_string();
        known
            .service
            .log_out(&there, &kept, &id)
            .await
            .inspect_err(|error| tracing::warn!(provider, %error, "a session there goes on"))
            .ok()?
    }

    /// Ends the sessions that an `OpenID` provider says have ended there.
    pub(in crate::control) async fn oidc_logout(
        &self,
        request: &ApiRequest,
        from: &str,
        token: &str,
    ) -> Result<(), Refusal> {
        let known = self.provider(from)?;
        let SignInProvider::Oidc(oidc) = &known.service else {
            return Err(Refusal::Wrong);
        };
        let asked = match oidc.logout_asked(token).await {
            Ok(asked) => asked,
            Err(error) => return Err(self.not_taken(request, from, error).await),
        };
        self.end_once(request, &known, &asked).await
    }

    /// Ends the sessions that a provider names, unless it has before. What has failed half-way can
    /// be asked for again.
    pub(super) async fn end_once(
        &self,
        request: &ApiRequest,
        known: &Known,
        asked: &LogoutAsked,
    ) -> Result<(), Refusal> {
        let name = &known.settings.name;
        if self.db.was_shown(name, &asked.id).await? {
            let why = ("sso_replayed", "it was shown before");
            return Err(self.nobody(request, name.as_str(), why).await);
        }
        self.end_those(request, known, asked).await?;
        let times = (self.clock.now(), asked.until);
        self.db.is_first(name, &asked.id, times).await?;
        Ok(())
    }

    /// All of them or none, with one event each (`session.revoked`).
    async fn end_those(
        &self,
        request: &ApiRequest,
        known: &Known,
        asked: &LogoutAsked,
    ) -> Result<(), StoreError> {
        let name = &known.settings.name;
        let theirs = self
            .db
            .sessions_from(name, &asked.name, &asked.indexes)
            .await?;
        let mut request = request.clone();
        request.actor = Actor {
            kind: "provider",
            id: Some(name.to_string()),
            email: None,
        };
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        let mut first = None;
        for (of, session) in theirs {
            let done = match change.end_session(of, session).await {
                Ok(done) => done.detail("provider", name.as_str()),
                // Ended meanwhile.
                Err(StoreError::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            match first {
                None => first = Some(done),
                Some(_) => change.also(done, SEE_OTHER).await?,
            }
        }
        match first {
            Some(done) => change.commit(done, SEE_OTHER).await,
            None => Ok(()),
        }
    }
}
