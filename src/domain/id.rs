//! Identifiers: one type each, so that a tenant's id cannot stand for a project's.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use rand::Rng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

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
    /// A session.
    SessionId,
    /// An access token.
    TokenId,
    /// A passkey.
    PasskeyId,
    /// A link that works once.
    LinkId,
    /// A question to a browser's authenticator.
    CeremonyId,
    /// The record of a backend's object.
    ResourceId,
    /// An audit event (`UUIDv7`): what makes its delivery exactly once.
    EventId,
}

impl EventId {
    /// A fresh `UUIDv7` (RFC 9562 §5.7): sorts by time.
    pub fn generate(now: DateTime<Utc>, rng: &mut impl Rng) -> Self {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &rng.random()).into_uuid())
    }
}

impl TokenId {
    /// A fresh `UUIDv7` (RFC 9562 §5.7): sorts by time.
    pub fn generate(now: DateTime<Utc>, rng: &mut impl Rng) -> Self {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &rng.random()).into_uuid())
    }
}
