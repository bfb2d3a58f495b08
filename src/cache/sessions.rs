//! Sessions in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

use super::credentials::{CredentialCache, Entry};
use crate::domain::{CredentialId, Session, SessionId};
use crate::policy::{CredentialLimits, SignIn};

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
    /// Unix second at which it was last used, as far as this process knows.
    last_active: AtomicI64,
}

impl CachedSession {
    /// As just read.
    #[must_use]
    pub fn new(session: Session) -> Self {
        let limits = Arc::new(CredentialLimits {
            id: Some(CredentialId::from(session.id)),
            permissions: None,
            projects: None,
            sign_in: Some(SignIn {
                authenticated_at: session.authenticated_at,
                methods: session.methods.clone(),
                pending: session.pending,
            }),
        });
        let last_active = AtomicI64::new(session.last_active_at.timestamp());
        Self {
            session,
            limits,
            last_active,
        }
    }

    /// Whether it has rested too long.
    #[must_use]
    pub fn is_idle(&self, now: DateTime<Utc>) -> bool {
        let rested = now.timestamp() - self.last_active.load(Ordering::Relaxed);
        rested > self.session.idle.num_seconds()
    }

    /// It is used: its rest begins anew.
    pub fn touch(&self, now: DateTime<Utc>) {
        self.last_active
            .fetch_max(now.timestamp(), Ordering::Relaxed);
    }
}
