//! Credential → subject. A rejected credential ends the chain; a database that
//! cannot be asked is neither yes nor no.

mod api_key;
mod authenticator;
mod breached;
mod examined;
mod fetch;
mod finder;
mod github;
mod oidc;
mod passkeys;
mod password;
mod provider;
mod recovery;
mod saml;
mod seal;
mod session;
mod signing;
mod stored_provider;
mod token;
mod totp;
mod usage;

pub use authenticator::{Authenticator, Caller, Truth};
pub use breached::BreachedPasswords;
pub use examined::{Examined, Verdict};
pub use fetch::{Fetch, FetchError};
pub use github::GitHubSignIn;
pub use oidc::OidcSignIn;
pub use passkeys::{Asked, MalformedAnswer, Passkey, PasskeyError, Passkeys};
pub use password::{Checked, HashError, Password, Passwords, UnfitPassword};
pub use provider::{
    Asserted, Errand, KeptTokens, LogoutAsked, ProviderError, Returned, SessionThere,
    SignInProvider,
};
pub use recovery::RecoveryCode;
pub use saml::{Expiry, Onward, SamlSignIn};
pub use seal::{Opened, Seal};
pub use signing::{KeySet, SigningKey, SigningKeyError, SigningKeys, add_signing_key};
pub use stored_provider::Apart;
pub use token::{ACCESS_TOKEN, AccessToken, TokenRules};
pub use totp::Totp;
pub use usage::Usage;
