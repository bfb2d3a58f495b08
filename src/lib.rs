//! Portcullis: an authorization gateway in front of an unmodified backend.
//!
//! A request is parsed once into a canonical form, matched to a route, its
//! credential resolved to a principal, the principal's permission checked, and
//! only then rebuilt and forwarded. `ARCHITECTURE.md` draws the way of a request;
//! `tests/it/layering.rs` holds the modules to the import table given there.

pub mod audit;
pub mod authn;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod domain;
pub mod policy;
pub mod proxy;
pub mod rate;
pub mod serve;
pub mod store;
pub mod telemetry;
