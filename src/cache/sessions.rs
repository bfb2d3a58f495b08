//! Sessions in memory.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::credentials::{CredentialCache, Entry};
use crate::domain::{CredentialId, Session, SessionId};
use crate::policy::{Activity, CredentialLimits, SignIn};

/// The sessions lately asked for.
pub type SessionCache = CredentialCache<SessionId, CachedSession>;
/// What the database said of a session id.
pub type SessionEntry = Entry<CachedSession>;

/// A session, ready for a decision.
#[derive(Debug)]
pub struct CachedSession {
    /// As stored.
    pub session: Session,
    /// What a decision asks of it.
    pub limits: Arc<CredentialLimits>,
    activity: Arc<Activity>,
}

impl CachedSession {
    /// As just read.
    #[must_use]
    pub fn new(session: Session) -> Self {
        let sign_in = Arc::new(SignIn::from(&session));
        let activity = Arc::clone(&sign_in.activity);
        let limits = Arc::new(CredentialLimits {
            id: Some(CredentialId::from(session.id)),
            permissions: None,
            projects: None,
            key: None,
            sign_in: Some(sign_in),
            scopes: None,
        });
        Self {
            session,
            limits,
            activity,
        }
    }

    /// Whether it has rested too long.
    #[must_use]
    pub fn is_idle(&self, now: DateTime<Utc>) -> bool {
        self.activity.rested(now) > self.session.idle
    }
}
