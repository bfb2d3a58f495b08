//! When a key of the gateway's own signs, and until when what it signed is believed.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The name of a signing key, `kid`: the thumbprint of its public part (RFC 7638).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct SigningKeyId(Arc<str>);

/// No thumbprint.
#[derive(Debug, thiserror::Error)]
#[error("a key's name has 43 characters of base64url")]
pub struct MalformedSigningKeyId;

impl SigningKeyId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for SigningKeyId {
    type Err = MalformedSigningKeyId;

    fn from_str(text: &str) -> Result<Self, MalformedSigningKeyId> {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.len() == 43 && text.bytes().all(is_known) {
            Ok(Self(text.into()))
        } else {
            Err(MalformedSigningKeyId)
        }
    }
}

impl fmt::Display for SigningKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The life of a signing key. Its public part is served from when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SigningTimes {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it takes the place of the one before.
    pub signs_from: DateTime<Utc>,
    /// When it is forgotten; `None`: no other is to take its place.
    pub served_until: Option<DateTime<Utc>>,
}

impl SigningTimes {
    /// Whether what it signed is to be believed.
    #[must_use]
    pub fn is_served(&self, now: DateTime<Utc>) -> bool {
        self.served_until.is_none_or(|until| now < until)
    }

    /// Whether it may sign; of several the one that began last does.
    #[must_use]
    pub fn may_sign(&self, now: DateTime<Utc>) -> bool {
        self.is_served(now) && self.signs_from <= now
    }
}

/// How a new key takes the place of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// There is none before, or nothing happens.
    First,
    /// It is shown first, signs later, and what the one before has signed stays good.
    Planned,
    /// Somebody else has the one before: nothing that it has signed is good any more.
    Compromised,
}
