//! All SQL: one file per aggregate, queries checked at build time against `.sqlx`.
//!
//! Readers return domain types. Writers are administrative changes: each takes an
//! [`Author`], runs in one transaction and leaves exactly one audit event in it,
//! because a transaction can only be committed with one.
//!
//! All of it runs in a [`TenantTx`], in whose name row-level security decides.

pub mod api;
mod audit;
mod audit_copy;
mod author;
mod bindings;
mod connect;
mod error;
mod factors;
mod failures;
mod identities;
mod isolation;
mod key_life;
mod keys;
mod links;
mod listener;
mod login;
mod members;
mod migrate;
mod new_key;
mod passwords;
mod policy;
mod principals;
pub mod private_postgres;
mod projects;
mod rechecks;
mod resource_changes;
mod resources;
mod revoked_tokens;
mod roles;
mod scim;
mod sessions;
mod sessions_there;
mod signing_keys;
mod tenant_tx;
mod tenants;

pub use audit::{AuditCursor, AuditFilter, AuditRecord, MalformedCursor};
pub use audit_copy::{AuditSink, SinkError};
pub use author::{Author, Done};
pub use bindings::{BindingPlace, NewBinding};
pub use connect::{DatabaseUrl, Db, MalformedDatabaseUrl};
pub use error::StoreError;
pub use factors::{Ceremony, Factors, StoredPasskey};
pub use failures::{Attempt, Failures, LockedOut};
pub use identities::{GrantedBy, Identity, Linkable, WantedRole};
pub use isolation::{Finding, verify_isolation};
pub use keys::{CredentialUse, ListedKey};
pub use links::{Link, NewLink};
pub use listener::{Change, ChangeListener, Changed, TouchedResources};
pub use members::Member;
pub use migrate::{Migrated, migrate};
pub use new_key::{CreatedKey, NewKey};
pub use passwords::Account;
pub use principals::ListedPrincipal;
pub use projects::ListedProject;
pub use rechecks::DueRecheck;
pub use resources::{Labels, ListedResource, NewResource, ResourceFilter};
pub use revoked_tokens::TokenOf;
pub use roles::NewRole;
pub use scim::{DIRECTORY, ScimAccount, ScimKind, ScimResource};
pub use sessions::Rehashed;
pub use sessions_there::{CameFrom, There};
pub use signing_keys::StoredSigningKey;
pub use tenant_tx::{Claims, TenantTx};

type Result<T> = std::result::Result<T, StoreError>;
