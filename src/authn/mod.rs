//! Credential → subject. A rejected credential ends the chain; a database that
//! cannot be asked is neither yes nor no.

mod api_key;
mod authenticator;
mod breached;
mod finder;
mod passkeys;
mod password;
mod recovery;
mod seal;
mod session;
mod totp;
mod usage;

pub use authenticator::{Authenticator, Caller, Truth};
pub use breached::BreachedPasswords;
pub use passkeys::{Asked, MalformedAnswer, Passkey, PasskeyError, Passkeys};
pub use password::{Checked, HashError, Password, Passwords, UnfitPassword};
pub use recovery::RecoveryCode;
pub use seal::{Opened, Seal};
pub use totp::Totp;
pub use usage::Usage;
