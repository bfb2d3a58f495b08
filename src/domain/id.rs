//! Identifiers: one type each, so that a tenant's id cannot stand for a project's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// A tenant.
    TenantId,
    /// A project.
    ProjectId,
    /// A user or a service account.
    PrincipalId,
    /// A role, built in or custom.
    RoleId,
    /// A binding of a role to a principal.
    BindingId,
    /// An audit event (`UUIDv7`): what makes its delivery exactly once.
    EventId,
}
