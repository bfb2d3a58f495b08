//! Sessions of browsers.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::finder::Stored;
use super::usage::NOTE_EVERY_SECONDS;
use super::{Authenticator, Caller};
use crate::cache::{CachedSession, Held, SessionEntry};
use crate::domain::{SecretHash, SessionCookie, SessionId, SessionToken};
use crate::policy::{Authentication, Rejection, Subject};
use crate::store::{Db, StoreError};

/// Where sessions are stored.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    pub(super) db: Db,
}

impl Stored for Sessions {
    type Id = SessionId;
    type Value = CachedSession;

    async fn load(&self, id: &SessionId) -> Result<Option<CachedSession>, StoreError> {
        let session = self.db.find_session(*id).await?;
        Ok(session.map(CachedSession::new))
    }
}

/// Why a session admits nobody.
enum Refused {
    /// It proves nothing.
    Ended(Rejection),
    /// Nobody could be asked.
    Unavailable(StoreError),
}

impl From<Rejection> for Refused {
    fn from(why: Rejection) -> Self {
        Self::Ended(why)
    }
}

impl Authenticator {
    pub(super) async fn session(
        &self,
        cookie: SessionCookie,
        secret: &SecretString,
        caller: Caller<'_>,
    ) -> Authentication {
        if Some(cookie) != caller.cookie() {
            return Authentication::Ended(Rejection::Misplaced);
        }
        let Ok(token) = secret.expose_secret().parse::<SessionToken>() else {
            return Authentication::Ended(Rejection::Malformed);
        };
        if self.tables.is_stale() {
            return Authentication::Unavailable;
        }
        let session = match self.living(&token).await {
            Ok(session) => session,
            Err(Refused::Ended(why)) => return Authentication::Ended(why),
            Err(Refused::Unavailable(error)) => {
                tracing::warn!(%error, session = %token.id(), "a session cannot be looked up");
                return Authentication::Unavailable;
            }
        };
        match self.admit(session.session.principal, &session.limits).await {
            Ok(subject) => Authentication::Authenticated(subject),
            Err(why) => Authentication::Ended(why),
        }
    }

    /// A request of this subject was permitted: if it has a session, its rest begins anew. One
    /// that was refused for its rest has not ended it.
    pub fn used(&self, subject: &Subject, ip: Option<IpAddr>) {
        let now = self.clock.now();
        if let Some(sign_in) = &subject.credential.sign_in
            && sign_in.activity.touch(now, NOTE_EVERY_SECONDS)
        {
            self.usage.note_session(sign_in.session, now, ip);
        }
    }

    /// One that seems to have rested too long may have been used at another gateway.
    async fn living(&self, token: &SessionToken) -> Result<Arc<Held<CachedSession>>, Refused> {
        let entry = self.sessions.find(&token.id()).await;
        let session = self.valid(token, &entry.map_err(Refused::Unavailable)?)?;
        if !session.is_idle(self.clock.now()) {
            return Ok(session);
        }
        let entry = self.sessions.ask(&token.id()).await;
        let session = self.valid(token, &entry.map_err(Refused::Unavailable)?)?;
        if session.is_idle(self.clock.now()) {
            return Err(Rejection::Idle.into());
        }
        Ok(session)
    }

    fn valid(
        &self,
        token: &SessionToken,
        entry: &SessionEntry,
    ) -> Result<Arc<Held<CachedSession>>, Rejection> {
        let (hash, found) = match entry {
            SessionEntry::Found(found) => (found.session.secret_hash, Some(found)),
            SessionEntry::Missing => (SecretHash([0; 32]), None),
        };
        let genuine = self.pepper.verify(token.secret(), &hash);
        let found = found.filter(|_| genuine).ok_or(Rejection::Unknown)?;
        let now = self.clock.now();
        if found.session.expires_at <= now {
            return Err(Rejection::Expired);
        }
        if found.session.revoked_at.is_some() {
            // One that rested too long is ended by and by.
            let rested = found.is_idle(now);
            return Err(if rested {
                Rejection::Idle
            } else {
                Rejection::Revoked
            });
        }
        Ok(Arc::clone(found))
    }
}
