//! Sessions at providers: they end when those here do, and the other way round.

use super::by_provider::Known;
use super::passkeys::ceremony;
use super::{Refusal, SEE_OTHER, SignIns};
use crate::authn::{LogoutAsked, Onward, SessionThere, SignInProvider};
use crate::domain::{Actor, SessionId};
use crate::store::api::ApiRequest;
use crate::store::{Claims, StoreError};

impl SignIns {
    /// Where somebody goes to end the session, too, that this one came from; `None`: nowhere.
    pub(in crate::control) async fn there(&self, session: SessionId) -> Option<Onward> {
        let (provider, there) = self.db.session_there(session).await.ok()??;
        let there: SessionThere = serde_json::from_value(there).ok()?;
        let known = self.provider(&provider).ok()?;
        let id = ceremony().0.simple().to_string();
        known
            .service
            .log_out(&there, &id)
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
        let times = (self.clock.now(), asked.until);
        if !self
            .db
            .is_first(&known.settings.name, &asked.id, times)
            .await?
        {
            let why = "it was shown before";
            return Err(self.nobody(request, from, ("sso_replayed", why)).await);
        }
        Ok(self.end_those(request, known, &asked).await?)
    }

    /// One event each (`session.revoked`).
    pub(super) async fn end_those(
        &self,
        request: &ApiRequest,
        known: &Known,
        asked: &LogoutAsked,
    ) -> Result<(), StoreError> {
        let name = &known.settings.name;
        let now = self.clock.now();
        let theirs = self
            .db
            .sessions_from(name, &asked.name, &asked.indexes)
            .await?;
        for (of, session) in theirs {
            let mut request = request.clone();
            request.actor = Actor {
                kind: "provider",
                id: Some(name.to_string()),
                email: None,
            };
            let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
            match change.end_session(of, session).await {
                Ok(done) => {
                    let done = done.detail("provider", name.as_str());
                    change.commit(done, SEE_OTHER).await?;
                }
                // Ended meanwhile.
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
