//! Who other services say that somebody is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Fetch, GitHubSignIn, OidcSignIn};
use crate::clock::Clock;
use crate::config::ProviderKind;

/// What a provider has said of somebody, and proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// Who says so.
    pub issuer: String,
    /// What it calls them, for ever: their address may change.
    pub subject: String,
    /// Their address, if the provider says that it is theirs.
    pub email: Option<String>,
    /// Their address, as far as anybody has said.
    pub claimed_email: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// What they belong to there.
    pub groups: Vec<String>,
    /// When they proved there who they are, if it says so.
    pub authenticated_at: Option<DateTime<Utc>>,
}

/// What is kept while somebody is away at a provider: known to nobody else.
#[derive(Debug, Deserialize, Serialize)]
pub struct Errand {
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Since when they must have proved anew who they are; Unix seconds.
    pub(super) anew_since: Option<i64>,
}

/// What somebody comes back with.
#[derive(Debug)]
pub struct Returned {
    /// Good for once.
    pub code: String,
    /// Who says that it is theirs (RFC 9207).
    pub issuer: Option<String>,
}

/// Why somebody is not known.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be asked, or makes no sense: nobody can sign in there now.
    #[error("{0}")]
    Unavailable(String),
    /// It has said no, or what it says does not hold.
    #[error("{0}")]
    Refused(String),
}

/// A provider, ready to be asked.
#[derive(Debug)]
pub enum SignInProvider {
    /// By `OpenID` Connect.
    Oidc(OidcSignIn),
    /// GitHub.
    GitHub(GitHubSignIn),
}

impl SignInProvider {
    /// The one of this configuration, which sends people back to `callback`.
    #[must_use]
    pub fn new(kind: &ProviderKind, callback: Url, fetch: Fetch, clock: Clock) -> Self {
        match kind {
            ProviderKind::Oidc(oidc) => {
                Self::Oidc(OidcSignIn::new(oidc.clone(), callback, fetch, clock))
            }
            ProviderKind::GitHub(github) => {
                Self::GitHub(GitHubSignIn::new(github.clone(), callback, fetch))
            }
        }
    }

    /// Where somebody is sent, and what is kept meanwhile; `anew` if they must prove who they are
    /// though the service knows it already.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn send(&self, state: &str, anew: bool) -> Result<(Url, Errand), ProviderError> {
        match self {
            Self::Oidc(oidc) => oidc.send(state, anew).await,
            Self::GitHub(github) => github.send(state),
        }
    }

    /// Who it is that comes back.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn receive(
        &self,
        errand: Errand,
        returned: Returned,
    ) -> Result<Asserted, ProviderError> {
        match self {
            Self::Oidc(oidc) => oidc.receive(errand, returned).await,
            Self::GitHub(github) => github.receive(errand, returned).await,
        }
    }
}
