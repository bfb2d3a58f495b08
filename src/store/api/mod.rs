//! What the administration API reads and changes.
//!
//! Reads happen in a [`ReadTx`], changes in an [`ApiTx`]: both tell the database for whom, so
//! that what a mistake of the API would let through is refused there. Changes take turns, from
//! their first look at what is there until their end; what was read is what is changed.

mod answers;
mod bindings;
mod events;
mod key_rules;
mod keys;
mod members;
mod own_keys;
mod page;
mod projects;
mod providers;
mod resources;
mod roles;
mod session_rules;
mod tenants;
mod tx;

pub use answers::{KeptAnswer, KeptFor};
pub use bindings::{BindingView, NewBinding};
pub use events::EventFilter;
pub use keys::{KeyFilter, KeyLimits, KeyView, NewApiKey};
pub use members::MemberView;
pub use own_keys::OwnKey;
pub use page::PageRequest;
pub use projects::{NewProject, ProjectView};
pub use providers::{ProviderView, StoredProvider};
pub use resources::ResourceView;
pub use roles::{NewCustomRole, RoleView};
pub use tenants::TenantView;
pub use tx::{ApiRequest, ApiTx, ReadTx};
