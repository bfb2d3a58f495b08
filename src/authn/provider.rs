//! Who other services say that somebody is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::examined::Examined;
use super::saml::{Onward, SamlSignIn};
use super::{Fetch, GitHubSignIn, OidcSignIn};
use crate::clock::Clock;
use crate::config::ProviderKind;
use crate::domain::Slug;

/// What a provider has said of somebody, and proved.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
    /// Until when its word is good, if it says so.
    pub ends_at: Option<DateTime<Utc>>,
    /// Their session there, if it can be ended from here or there.
    pub session: Option<SessionThere>,
    /// What it gave to be asked again with.
    #[serde(skip)]
    pub kept: KeptTokens,
}

/// Longest token that is kept, in bytes.
const LONGEST_KEPT: usize = 4096;

/// Tokens of somebody's that are kept while their session lives. Redacted in `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct KeptTokens {
    /// What the provider can be asked again with.
    pub refresh: Option<String>,
    /// What it is shown when they sign out.
    pub id: Option<String>,
}

impl KeptTokens {
    /// Those that are not too long.
    #[must_use]
    pub fn new(refresh: Option<String>, id: Option<String>) -> Self {
        let short = |token: &String| token.len() <= LONGEST_KEPT;
        Self {
            refresh: refresh.filter(short),
            id: id.filter(short),
        }
    }
}

impl std::fmt::Debug for KeptTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeptTokens(..)")
    }
}

/// Somebody's session at a provider; of `OpenID` Connect only `sub` and `sid`, the rest is SAML's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct SessionThere {
    /// Whose.
    pub name: String,
    /// The format of that name.
    pub format: Option<String>,
    /// Within what it is unique.
    pub qualifier: Option<String>,
    /// For whom they are called so.
    pub sp_qualifier: Option<String>,
    /// Which one.
    pub index: Option<String>,
    /// Until when the provider's word is good.
    #[serde(default)]
    pub ends_at: Option<DateTime<Utc>>,
}

/// What is kept while somebody is away at a provider: known to nobody else.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Errand {
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Since when they must have proved anew who they are; Unix seconds.
    pub(super) anew_since: Option<i64>,
}

/// What a provider asks for, and has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutAsked {
    /// Its own name: good for once.
    pub id: String,
    /// Until when it could be shown again.
    pub until: DateTime<Utc>,
    /// Who.
    pub name: String,
    /// Which of their sessions there; none: all.
    pub indexes: Vec<String>,
}

impl Errand {
    /// Nothing needs to be kept but since when.
    pub(super) const fn of_saml(anew_since: Option<i64>) -> Self {
        Self {
            nonce: String::new(),
            verifier: String::new(),
            anew_since,
        }
    }

    /// Since when they must have proved anew who they are.
    pub(super) fn anew_since(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.anew_since?, 0)
    }
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
    /// By SAML 2.0.
    Saml(Box<SamlSignIn>),
}

impl SignInProvider {
    /// The one of this name and configuration, for the gateway at `site`.
    #[must_use]
    pub fn new(
        kind: &ProviderKind,
        (site, name): (&Url, &Slug),
        fetch: Fetch,
        clock: Clock,
    ) -> Self {
        let mut callback = site.clone();
        callback.set_path(&format!("/.portcullis/callback/{name}"));
        match kind {
            ProviderKind::Oidc(oidc) => {
                Self::Oidc(OidcSignIn::new(oidc.clone(), callback, fetch, clock))
            }
            ProviderKind::GitHub(github) => {
                Self::GitHub(GitHubSignIn::new(github.clone(), callback, fetch))
            }
            ProviderKind::Saml(saml) => {
                let saml = SamlSignIn::new((**saml).clone(), (site, name), fetch, clock);
                Self::Saml(Box::new(saml))
            }
        }
    }

    /// Where somebody is sent, and what is kept meanwhile; `anew` if they must prove who they are
    /// though the service knows it already.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn send(&self, state: &str, anew: bool) -> Result<(Onward, Errand), ProviderError> {
        let (to, errand) = match self {
            Self::Oidc(oidc) => oidc.send(state, anew).await?,
            Self::GitHub(github) => github.send(state)?,
            Self::Saml(saml) => return saml.send(state, anew).await,
        };
        Ok((Onward::To(to), errand))
    }

    /// Where somebody goes to end their session there; `None`: nowhere.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn log_out(
        &self,
        session: &SessionThere,
        kept: &KeptTokens,
        state: &str,
    ) -> Result<Option<Onward>, ProviderError> {
        match self {
            Self::Oidc(oidc) => Ok(oidc.log_out(kept.id.as_deref()).await?.map(Onward::To)),
            Self::GitHub(_) => Ok(None),
            Self::Saml(saml) => saml.log_out(session, state).await,
        }
    }

    /// Looks at all that can be looked at before anybody signs in.
    pub async fn examine(&self) -> Vec<Examined> {
        match self {
            Self::Oidc(oidc) => oidc.examine().await,
            Self::GitHub(github) => github.examine().await,
            Self::Saml(saml) => saml.examine().await,
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
            // Its word has come by another way.
            Self::Saml(_) => Err(ProviderError::Refused("it sends no code".to_owned())),
        }
    }

    /// What it says now of somebody who came from it with these tokens. There is nothing to ask it
    /// with if it gave none.
    ///
    /// # Errors
    ///
    /// `Refused`: it says no more of them.
    pub async fn ask_again(
        &self,
        kept: &KeptTokens,
        subject: &str,
    ) -> Result<Asserted, ProviderError> {
        match (self, &kept.refresh) {
            (Self::Oidc(oidc), Some(token)) => oidc.ask_again(token, subject).await,
            (Self::GitHub(github), Some(token)) => github.ask_again(token, subject).await,
            _ => Err(ProviderError::Refused(
                "it cannot be asked again".to_owned(),
            )),
        }
    }

    /// Whether it can say when somebody has proved anew who they are.
    #[must_use]
    pub fn proves_anew(&self) -> bool {
        match self {
            Self::Oidc(oidc) => oidc.proves_anew(),
            Self::GitHub(_) => false,
            Self::Saml(_) => true,
        }
    }
}
