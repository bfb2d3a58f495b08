//! What authentication found out, as the decision takes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{
    Assurance, CredentialId, KeyClosed, Method, PermissionSet, Principal, PrincipalId, ProjectId,
    RateRule, Session, SessionId, Tenant, TenantId,
};

/// The outcome of authentication: one credential a request, and a rejected one
/// ends the chain.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// No credential was sent.
    NotPresented,
    /// The credential proves this subject.
    Authenticated(Subject),
    /// The credential proves nothing.
    Rejected(Rejection),
    /// The session of a browser proves nothing any more. Its holder need not know that the
    /// browser still sends it: where nobody must be known, it is as none.
    Ended(Rejection),
    /// The truth could not be asked: neither yes nor no.
    Unavailable,
}

/// Why a credential was rejected. For operators: clients get one message for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Not of any form of ours.
    Malformed,
    /// No such key, or a wrong secret.
    Unknown,
    /// Revoked.
    Revoked,
    /// Past its expiry.
    Expired,
    /// Not used for too long.
    Idle,
    /// A cookie that is not for this kind of connection.
    Misplaced,
    /// Its principal is disabled or gone.
    PrincipalDisabled,
    /// Used from a network that it may not be used from.
    Network,
}

impl Rejection {
    /// A stable word for the audit event.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "credential_malformed",
            Self::Unknown => "credential_unknown",
            Self::Revoked => "credential_revoked",
            Self::Expired => "credential_expired",
            Self::Idle => "session_idle",
            Self::Misplaced => "cookie_misplaced",
            Self::PrincipalDisabled => "principal_disabled",
            Self::Network => "credential_network",
        }
    }
}

/// A principal together with the limits of the credential that proved it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Who.
    pub principal: Arc<Principal>,
    /// The credential.
    pub credential: Arc<CredentialLimits>,
}

/// What a credential narrows: it never adds to what its principal can do.
#[derive(Debug)]
pub struct CredentialLimits {
    /// Public id, for the audit event; `None` when no credential is in question.
    pub id: Option<CredentialId>,
    /// Permissions it is limited to; `None` is no limit of its own.
    pub permissions: Option<PermissionSet>,
    /// Projects it is limited to; `None` is no limit of its own.
    pub projects: Option<Vec<ProjectId>>,
    /// What is known of the sign-in behind it; `None` if there was none.
    pub sign_in: Option<Arc<SignIn>>,
    /// Names of the scopes of an access token, separated by blanks; `None` if it is none.
    pub scopes: Option<Arc<str>>,
    /// What is known of the key; `None` if it is none.
    pub key: Option<Arc<KeyTerms>>,
}

/// What tenants and limits ask of a key.
#[derive(Debug)]
pub struct KeyTerms {
    /// When it was made.
    pub made: DateTime<Utc>,
    /// Tenants that have approved it.
    pub approved_for: Vec<TenantId>,
    /// Its own limit.
    pub rate: Option<RateRule>,
}

impl KeyTerms {
    /// Whether the rules of a tenant let it open anything there.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn suffice(&self, tenant: &Tenant, at: DateTime<Utc>) -> Result<(), KeyClosed> {
        tenant.key_rules.as_ref().map_or(Ok(()), |rules| {
            rules.admits(self.made, self.approved_for.contains(&tenant.id), at)
        })
    }
}

/// When a session was last used, as far as this process knows.
#[derive(Debug)]
pub struct Activity {
    /// Unix seconds.
    last: AtomicI64,
    /// When that was last noted for the database.
    noted: AtomicI64,
}

impl Activity {
    /// As on record.
    #[must_use]
    pub const fn new(last: DateTime<Utc>) -> Self {
        Self {
            last: AtomicI64::new(last.timestamp()),
            noted: AtomicI64::new(0),
        }
    }

    /// For how long it has not been used.
    #[must_use]
    pub fn rested(&self, now: DateTime<Utc>) -> TimeDelta {
        TimeDelta::seconds(now.timestamp() - self.last.load(Ordering::Relaxed))
    }

    /// It is used: its rest begins anew. Whether that is to be noted, which it is every so many
    /// seconds.
    pub fn touch(&self, now: DateTime<Utc>, every: i64) -> bool {
        let now = now.timestamp();
        self.last.fetch_max(now, Ordering::Relaxed);
        let noted = self.noted.load(Ordering::Relaxed);
        let order = Ordering::Relaxed;
        now.saturating_sub(noted) >= every
            && self
                .noted
                .compare_exchange(noted, now, order, order)
                .is_ok()
    }
}

/// How and when a person proved who they are.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Who.
    pub principal: PrincipalId,
    /// Of their session.
    pub session: SessionId,
    /// When their session began.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub activity: Arc<Activity>,
    /// When they last did.
    pub authenticated_at: DateTime<Utc>,
    /// How.
    pub methods: Vec<Method>,
    /// Whether they have a second factor and have not proved it: good for nothing else.
    pub pending: bool,
    /// The tenant whose provider said who they are.
    pub vouched_by: Option<TenantId>,
}

impl From<&Session> for SignIn {
    fn from(session: &Session) -> Self {
        Self {
            principal: session.principal,
            vouched_by: session.vouched_by,
            session: session.id,
            created_at: session.created_at,
            activity: Arc::new(Activity::new(session.last_active_at)),
            authenticated_at: session.authenticated_at,
            methods: session.methods.clone(),
            pending: session.pending,
        }
    }
}

impl SignIn {
    /// How sure it is who they are.
    #[must_use]
    pub fn assurance(&self) -> Assurance {
        Assurance::of(&self.methods)
    }

    /// How they proved it, in words of RFC 8176, separated by commas.
    #[must_use]
    pub fn amr(&self) -> String {
        let methods = self.methods.iter().map(|method| method.as_str());
        let mfa = (self.assurance() >= Assurance::Aal2).then_some("mfa");
        methods.chain(mfa).collect::<Vec<_>>().join(",")
    }
}

impl Subject {
    /// Whether no more is known of them than one of their factors.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        let sign_in = self.credential.sign_in.as_ref();
        sign_in.is_some_and(|sign_in| sign_in.pending)
    }
}

impl CredentialLimits {
    /// No limits: all that the principal can do.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            id: None,
            permissions: None,
            projects: None,
            sign_in: None,
            key: None,
            scopes: None,
        }
    }

    /// Those of an access token that was given for it: nothing but these permissions, and of them
    /// only what it is not kept from itself.
    #[must_use]
    pub fn within(&self, mut permissions: PermissionSet, scopes: &str) -> Self {
        if let Some(own) = &self.permissions {
            permissions.retain(own);
        }
        Self {
            id: self.id.clone(),
            permissions: Some(permissions),
            projects: self.projects.clone(),
            sign_in: None,
            key: self.key.clone(),
            scopes: Some(scopes.into()),
        }
    }

    /// Whether the credential may be used in this project.
    #[must_use]
    pub fn admits(&self, project: ProjectId) -> bool {
        self.projects
            .as_ref()
            .is_none_or(|projects| projects.contains(&project))
    }
}
