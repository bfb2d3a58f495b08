//! Who acts.

use serde::{Deserialize, Serialize};

use super::{PrincipalId, TenantId};

/// What kind of principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A non-person entity that lives in one tenant.
    ServiceAccount,
}

impl PrincipalKind {
    /// The word used in SQL, headers and audit events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ServiceAccount => "service_account",
        }
    }
}

/// A user or a service account. Anonymous callers are the absence of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// Its id.
    pub id: PrincipalId,
    /// User or service account.
    pub kind: PrincipalKind,
    /// E-mail address of a user; `None` for a service account.
    pub email: Option<String>,
    /// Display name of a user, name of a service account (unique in its tenant).
    pub name: String,
    /// Home tenant of a service account; `None` for a user.
    pub tenant: Option<TenantId>,
    /// A disabled principal authenticates nowhere.
    pub disabled: bool,
}

impl Principal {
    /// What a person would call it: the e-mail address, else the name.
    #[must_use]
    pub fn label(&self) -> &str {
        self.email.as_deref().unwrap_or(&self.name)
    }
}
