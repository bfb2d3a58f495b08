//! All SQL: one file per aggregate, queries checked at build time against `.sqlx`.
//!
//! Readers return domain types. Writers are administrative changes: each takes an
//! [`Author`], runs in one transaction and leaves exactly one audit event in it,
//! because a transaction can only be committed with one.

pub mod api;
mod audit;
mod audit_copy;
mod author;
mod bindings;
mod connect;
mod error;
mod keys;
mod listener;
mod migrate;
mod new_key;
mod policy;
mod principals;
pub mod private_postgres;
mod projects;
mod roles;
mod tenants;

pub use audit::{AuditCursor, AuditFilter, AuditRecord, MalformedCursor};
pub use audit_copy::{AuditSink, SinkError};
pub use author::{Author, Done};
pub use bindings::Member;
pub use connect::{DatabaseUrl, Db, MalformedDatabaseUrl};
pub use error::StoreError;
pub use keys::{KeyUse, ListedKey};
pub use listener::{Change, ChangeListener, Changed};
pub use migrate::{Migrated, migrate};
pub use new_key::{CreatedKey, NewKey};
pub use principals::ListedPrincipal;
pub use projects::ListedProject;
pub use roles::NewRole;

type Result<T> = std::result::Result<T, StoreError>;
