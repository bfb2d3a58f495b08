//! What the hot path reads instead of the database: the role table and the credentials.
//!
//! Both follow the database by notification, and by polling a version number in
//! case a notification is lost. When the database is away they go on answering
//! for a bounded time ([`RoleTables::is_stale`]); after that none is accepted.

mod credentials;
mod keys;
mod owner_lookup;
mod owners;
mod refresh;
mod role_tables;
mod sessions;
mod tokens;

pub use credentials::{CredentialCache, Entry, Held};
pub use keys::{CachedKey, KeyCache, KeyEntry};
pub use owner_lookup::{Changes, Made, Owners, OwnersError};
pub use owners::{Known, OwnerCache, OwnersEpoch};
pub use refresh::Refresh;
pub use role_tables::RoleTables;
pub use sessions::{CachedSession, SessionCache, SessionEntry};
pub use tokens::RevokedTokens;
