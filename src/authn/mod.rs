//! Credential → subject. A rejected credential ends the chain; a database that
//! cannot be asked is neither yes nor no.

mod api_key;
mod key_loader;
mod usage;

pub use api_key::Authenticator;
pub use usage::KeyUsage;
