//! The audit trail: event → spool → Postgres.
//!
//! A request reserves a [`Slot`] before it is forwarded and commits its one event to it
//! when it is answered. The commit writes the event to a file of the [`Spool`]: from
//! there on a `kill -9` cannot lose it. The [`AuditWriter`] follows the files and copies
//! their rows into `audit_events`; a file is deleted when Postgres has all of it.
//!
//! | what happens | what becomes of the events |
//! |---|---|
//! | the gateway is killed | answered requests: in the spool, sent by the next start, or by its successor |
//! | another takes over while it runs | each sends what is its own; what the first leaves, the other adopts |
//! | killed between forwarding and answering | recorded if the request left an intent |
//! | Postgres is away | they wait in the spool |
//! | sent twice | the second time nothing is inserted: same `id`, same `occurred_at` |
//! | a row that Postgres refuses | put aside in `rejected.log`, counted, logged |
//! | the spool or its disk is full | [`WhenFull`](crate::domain::WhenFull) decides before anything is forwarded |
//! | the machine loses power | at most the last [`SpoolOptions::sync_every`] (200 ms) is lost |

mod bounds;
mod directory;
mod encode;
mod generation;
mod json;
mod lock;
mod reading;
mod recovery;
mod rejected;
mod segment;
mod shard;
mod slot;
mod spool;
mod stats;
mod sync;
mod text;
mod writer;

pub use lock::SpoolLock;
pub use slot::{CommitError, Slot};
pub use spool::{Spool, SpoolError, SpoolFull, SpoolOptions};
pub use stats::AuditStats;
pub use writer::AuditWriter;
