//! Credential → subject. A rejected credential ends the chain; a database that
//! cannot be asked is neither yes nor no.

mod api_key;
mod authenticator;
mod finder;
mod session;
mod usage;

pub use authenticator::{Authenticator, Caller, Truth};
pub use usage::Usage;
