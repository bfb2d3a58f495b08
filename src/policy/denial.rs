//! The other outcome of a decision.

use http::Method;

use super::{Field, Malformed, Rejection};
use crate::domain::{KeyClosed, Permission, RateRule, Scope};

/// Why a request is refused. Exhaustive: every error, time-out and missing answer
/// of the pipeline becomes one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialReason {
    /// It has no single meaning.
    Malformed(Malformed),
    /// No credential where one is needed.
    Unauthenticated,
    /// A credential that proves nothing.
    Rejected(Rejection),
    /// A session that proves nothing any more.
    Ended(Rejection),
    /// A browser sent it with its session, from a page that is not ours or does not say.
    CrossSite,
    /// Too long ago this person proved who they are, for an operation that is sensitive
    /// (RFC 9470).
    ReAuthenticate {
        /// How many seconds ago it may have been.
        max_age: i64,
        /// What wants it.
        because: Because,
    },
    /// A password began the session, and the tenant or the project takes none such.
    PasswordLoginOff,
    /// No provider of the tenant said who it is, and it takes nobody else's word.
    SsoRequired,
    /// The tenant lets this key open nothing.
    KeyClosed(KeyClosed),
    /// This person has proved one factor, and two are asked for (RFC 9470).
    SecondFactor,
    /// No route.
    NoRoute,
    /// A route, but not for this method.
    WrongMethod(Vec<Method>),
    /// The route map denies it on purpose.
    DeniedRoute(std::sync::Arc<str>),
    /// No project was named and none follows from the credential.
    ProjectRequired,
    /// A project was named by its short name alone and several fit.
    ProjectAmbiguous,
    /// The project does not exist, or is closed to this principal: one answer for both.
    ProjectClosed,
    /// The tenant does not exist, or is closed to this principal: one answer for both.
    TenantClosed,
    /// The credential is not for this project, or not for anything outside its projects.
    CredentialScope,
    /// The permission is not held.
    PermissionMissing {
        /// What was missing.
        permission: Permission,
        /// Where; `None`: everywhere.
        scope: Option<Scope>,
    },
    /// A binding or a role denies it, whatever others grant.
    ExplicitlyDenied {
        /// What it denies.
        permission: Permission,
    },
    /// The condition of the route does not hold, or cannot be evaluated.
    ConditionUnmet,
    /// An object that the request names does not exist, is nobody's or another's: one answer
    /// for all, in the same words.
    ResourceUnknown,
    /// The principal holds it, the credential is limited to less.
    CredentialPermission {
        /// What the credential lacks.
        permission: Permission,
    },
    /// A rate limit has nothing left.
    RateLimited {
        /// Which.
        rule: RateRule,
        /// Seconds until one more request passes.
        retry_after: u64,
    },
    /// The shared rate counters cannot be asked, and nobody may pass uncounted.
    RateUnknown,
    /// Nobody can be asked.
    TruthUnavailable,
    /// The audit spool is full.
    AuditFull,
    /// Whose an object is must be asked of its backend, which does not tell.
    OwnerUnavailable,
    /// The body is larger than the route allows.
    BodyTooLarge,
    /// The body did not come in time.
    BodyTimeout,
    /// The body is of a type that the route does not read, or compressed.
    BodyType,
    /// What the request holds may not be sent here; why is told to the caller.
    Content(std::sync::Arc<str>),
    /// Whoever asks for the decision would have to do more than forward the request.
    NotCarried,
    /// What is to be written into the request is not known of this caller.
    FieldMissing(Field),
    /// More requests are being served than may be.
    Overloaded,
    /// A bug of ours: refused rather than guessed.
    Internal,
}

/// What wants somebody to prove anew who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// What they are about to do.
    Sensitive,
    /// Their session has rested longer than it may there.
    Rested,
    /// Their session began longer ago than it may there.
    Old,
}

impl Because {
    const fn code(self) -> &'static str {
        match self {
            Self::Sensitive => "reauthentication_required",
            Self::Rested => "session_rested",
            Self::Old => "session_old",
        }
    }
}

/// A refusal. Only the policy makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    reason: DenialReason,
}

impl Denial {
    pub(super) const fn new(reason: DenialReason) -> Self {
        Self { reason }
    }

    /// Refuses because there is no such object, or none that is told of.
    #[must_use]
    pub const fn resource_unknown() -> Self {
        Self::new(DenialReason::ResourceUnknown)
    }

    /// Refuses because a name means objects of several projects.
    #[must_use]
    pub const fn project_ambiguous() -> Self {
        Self::new(DenialReason::ProjectAmbiguous)
    }

    /// Refuses because no project follows from the request.
    #[must_use]
    pub const fn project_required() -> Self {
        Self::new(DenialReason::ProjectRequired)
    }

    /// Refuses because the audit spool has no room.
    #[must_use]
    pub const fn audit_full() -> Self {
        Self::new(DenialReason::AuditFull)
    }

    /// Refuses because a rate limit has nothing left.
    #[must_use]
    pub const fn rate_limited(rule: RateRule, retry_after: u64) -> Self {
        Self::new(DenialReason::RateLimited { rule, retry_after })
    }

    /// Refuses because nobody knows what the rate limits have left.
    #[must_use]
    pub const fn rate_unknown() -> Self {
        Self::new(DenialReason::RateUnknown)
    }

    /// Refuses because the announced body is too large for the route.
    #[must_use]
    pub const fn body_too_large() -> Self {
        Self::new(DenialReason::BodyTooLarge)
    }

    /// Refuses because the body did not come in time.
    #[must_use]
    pub const fn body_timeout() -> Self {
        Self::new(DenialReason::BodyTimeout)
    }

    /// Refuses because the database does not tell whose an object is.
    #[must_use]
    pub const fn truth_unavailable() -> Self {
        Self::new(DenialReason::TruthUnavailable)
    }

    /// Refuses because a backend does not tell what an object belongs to.
    #[must_use]
    pub const fn owner_unavailable() -> Self {
        Self::new(DenialReason::OwnerUnavailable)
    }

    /// Refuses because a session is not good enough, for what was found so.
    #[must_use]
    pub const fn of_session(reason: DenialReason) -> Self {
        Self::new(reason)
    }

    /// Refuses because the gateway would have to carry the request itself.
    #[must_use]
    pub const fn not_carried() -> Self {
        Self::new(DenialReason::NotCarried)
    }

    /// Refuses because of a bug of ours.
    #[must_use]
    pub const fn internal() -> Self {
        Self::new(DenialReason::Internal)
    }

    /// Refuses because the body is of a type that the route does not read.
    #[must_use]
    pub const fn body_type() -> Self {
        Self::new(DenialReason::BodyType)
    }

    /// Refuses because there are too many requests.
    #[must_use]
    pub const fn overloaded() -> Self {
        Self::new(DenialReason::Overloaded)
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &DenialReason {
        &self.reason
    }

    /// A stable word for the audit event and the metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match &self.reason {
            DenialReason::Malformed(malformed) => malformed.code(),
            DenialReason::Unauthenticated => "unauthenticated",
            DenialReason::Rejected(rejection) | DenialReason::Ended(rejection) => rejection.code(),
            DenialReason::CrossSite => "cross_site",
            DenialReason::ReAuthenticate { because, .. } => because.code(),
            DenialReason::PasswordLoginOff => "password_login_off",
            DenialReason::SsoRequired => "sso_required",
            DenialReason::KeyClosed(why) => match why {
                KeyClosed::Pending => "key_pending",
                KeyClosed::Old => "key_old",
                KeyClosed::CutOff => "key_cut_off",
            },
            DenialReason::SecondFactor => "second_factor_required",
            DenialReason::NoRoute => "no_route",
            DenialReason::WrongMethod(_) => "method_not_routed",
            DenialReason::DeniedRoute(_) => "route_denied",
            DenialReason::ProjectRequired => "project_required",
            DenialReason::ProjectAmbiguous => "project_ambiguous",
            DenialReason::ProjectClosed => "project_closed",
            DenialReason::TenantClosed => "tenant_closed",
            DenialReason::CredentialScope => "credential_scope",
            DenialReason::PermissionMissing { .. } => "permission_missing",
            DenialReason::ExplicitlyDenied { .. } => "explicitly_denied",
            DenialReason::ConditionUnmet => "condition_unmet",
            DenialReason::ResourceUnknown => "resource_unknown",
            DenialReason::CredentialPermission { .. } => "credential_permission",
            DenialReason::RateLimited { .. } => "rate_limited",
            DenialReason::RateUnknown => "rate_unknown",
            DenialReason::TruthUnavailable => "truth_unavailable",
            DenialReason::AuditFull => "audit_spool_full",
            DenialReason::OwnerUnavailable => "owner_unavailable",
            DenialReason::BodyTooLarge => "body_too_large",
            DenialReason::BodyTimeout => "body_timeout",
            DenialReason::BodyType => "body_type",
            DenialReason::Content(_) => "content_refused",
            DenialReason::NotCarried => "not_carried",
            DenialReason::FieldMissing(_) => "field_missing",
            DenialReason::Overloaded => "overloaded",
            DenialReason::Internal => "internal_error",
        }
    }

    /// What the client is told: what is missing and what to do, and nothing that
    /// exists but is not its own.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.reason {
            DenialReason::Malformed(malformed) => format!("Bad request: {malformed}."),
            DenialReason::Unauthenticated => {
                "Authentication required: send an API key as a Bearer token, as the password of \
                 Basic, or in X-Portcullis-Key."
                    .to_owned()
            }
            DenialReason::Rejected(_) => "The credential is not valid.".to_owned(),
            DenialReason::Ended(_) => "The session has ended; sign in again.".to_owned(),
            DenialReason::CrossSite => {
                "With a session, this must be asked for by a page of this site.".to_owned()
            }
            DenialReason::PasswordLoginOff => {
                "A sign-in by password is not enough for this tenant or project.".to_owned()
            }
            DenialReason::SsoRequired => {
                "This tenant wants a sign-in at its own service: sign out, and sign in there."
                    .to_owned()
            }
            DenialReason::KeyClosed(why) => match why {
                KeyClosed::Pending => {
                    "This key awaits the approval of an administrator of this tenant."
                }
                KeyClosed::Old => "This key is older than keys may be in this tenant.",
                KeyClosed::CutOff => {
                    "All keys of this age were revoked in this tenant: make another one."
                }
            }
            .to_owned(),
            DenialReason::ReAuthenticate { max_age, .. } => format!(
                "This needs a sign-in that is at most {max_age} s old: sign in again at \
                 /.portcullis/re-authenticate."
            ),
            DenialReason::SecondFactor => "This needs a sign-in with a second factor: prove it at \
                 /.portcullis/second-factor."
                .to_owned(),
            DenialReason::NotCarried => "This must be sent through the gateway: a decision alone \
                 is not enough for it."
                .to_owned(),
            DenialReason::NoRoute => "There is no such route.".to_owned(),
            DenialReason::WrongMethod(_) => "This route does not take this method.".to_owned(),
            DenialReason::DeniedRoute(why) => format!("This route is closed: {why}."),
            DenialReason::ProjectRequired => {
                "Name a project: send `X-Portcullis-Project: tenant/project`, or use a key that \
                 is limited to one project."
                    .to_owned()
            }
            DenialReason::ProjectAmbiguous => {
                "Several of your projects have this name: send `X-Portcullis-Project: \
                 tenant/project`."
                    .to_owned()
            }
            DenialReason::ProjectClosed => "You have no access to this project.".to_owned(),
            DenialReason::TenantClosed => "You have no access to this tenant.".to_owned(),
            DenialReason::CredentialScope => {
                "This key is limited to other projects than the one asked for.".to_owned()
            }
            DenialReason::PermissionMissing { permission, scope } => format!(
                "Permission `{permission}` is missing{}.",
                match scope {
                    None => "",
                    Some(Scope::Platform) => " on the platform",
                    Some(Scope::Tenant(_)) => " in this tenant",
                    Some(Scope::Project(_)) => " in this project",
                    Some(Scope::Resource { .. }) => " on this object",
                }
            ),
            DenialReason::ExplicitlyDenied { permission } => {
                format!("Permission `{permission}` is denied to you here.")
            }
            DenialReason::ConditionUnmet => "The condition of this route is not met.".to_owned(),
            DenialReason::ResourceUnknown => "The resource does not exist.".to_owned(),
            DenialReason::CredentialPermission { permission } => {
                format!("This key is limited and does not include `{permission}`.")
            }
            DenialReason::RateLimited { rule, retry_after } => format!(
                "Too many requests of this {}; try again in {retry_after} s.",
                rule.dimension.as_str()
            ),
            DenialReason::RateUnknown => "The rate limits cannot be reached; try again.".to_owned(),
            DenialReason::TruthUnavailable => {
                "The authorization data cannot be reached; try again.".to_owned()
            }
            DenialReason::AuditFull => "The audit log cannot take more; try again.".to_owned(),
            DenialReason::OwnerUnavailable => {
                "The backend does not tell whose this is; try again.".to_owned()
            }
            DenialReason::BodyTimeout => "The body did not come in time.".to_owned(),
            DenialReason::BodyTooLarge => "The body is larger than this route allows.".to_owned(),
            DenialReason::BodyType => {
                "This route reads no body of this type, and none that is compressed.".to_owned()
            }
            DenialReason::Content(why) => format!("This may not be sent: {why}."),
            DenialReason::FieldMissing(field) => format!(
                "This route needs `{}`, which this request does not have.",
                field.as_str()
            ),
            DenialReason::Overloaded => "Too many requests at once; try again.".to_owned(),
            DenialReason::Internal => "Internal error.".to_owned(),
        }
    }
}

impl From<Malformed> for Denial {
    fn from(malformed: Malformed) -> Self {
        Self::new(DenialReason::Malformed(malformed))
    }
}
