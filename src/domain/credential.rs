//! What names a credential in audit events and in memory.

use std::fmt;
use std::sync::Arc;

use super::{KeyId, SessionId};

/// What kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// An API key.
    Key,
    /// A session.
    Session,
}

/// The public id of a credential. Ids of two kinds are never equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialId {
    kind: CredentialKind,
    text: Arc<str>,
}

impl CredentialId {
    /// What it is the id of.
    #[must_use]
    pub const fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The id as shared text, for records that outlive the request.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The id of an API key, if it is one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        (self.kind == CredentialKind::Key).then_some(&*self.text)
    }
}

impl From<&KeyId> for CredentialId {
    fn from(id: &KeyId) -> Self {
        Self {
            kind: CredentialKind::Key,
            text: id.to_shared(),
        }
    }
}

impl From<SessionId> for CredentialId {
    fn from(id: SessionId) -> Self {
        Self {
            kind: CredentialKind::Session,
            text: id.to_string().into(),
        }
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
