//! Credential → subject. A rejected credential ends the chain; a database that
//! cannot be asked is neither yes nor no.

mod api_key;
mod authenticator;
mod breached;
mod finder;
mod password;
mod session;
mod usage;

pub use authenticator::{Authenticator, Caller, Truth};
pub use breached::BreachedPasswords;
pub use password::{Checked, HashError, Password, Passwords, UnfitPassword};
pub use usage::Usage;
