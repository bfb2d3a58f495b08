//! Numbers for metrics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// The state of the audit trail at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditStats {
    /// Events in the spool that Postgres does not have yet.
    pub depth_events: u64,
    /// Bytes of the spool that Postgres does not have yet.
    pub depth_bytes: u64,
    /// How long ago the oldest of them occurred; zero when there is none.
    pub oldest_unsent: Duration,
    /// Events sent to Postgres by this process.
    pub sent: u64,
    /// Requests refused because the spool was full.
    pub refused: u64,
    /// Events dropped because the spool was full and the operator chose so.
    pub dropped: u64,
    /// Events put aside because Postgres refused them.
    pub rejected: u64,
    /// Events that could not be written because the disk failed.
    pub failed: u64,
    /// Files that ended in half a record, or held an unreadable one.
    pub torn: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) recovered_events: AtomicU64,
    pub(super) recovered_bytes: AtomicU64,
    pub(super) sent_events: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) torn: AtomicU64,
    /// In microseconds since 1970; 0 for none.
    pub(super) oldest: AtomicI64,
}

impl Counters {
    /// With what all shards have ever committed.
    pub(super) fn stats(&self, events: u64, bytes: u64, now: DateTime<Utc>) -> AuditStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sent = load(&self.sent_events);
        let events = events + load(&self.recovered_events);
        let bytes = bytes + load(&self.recovered_bytes);
        AuditStats {
            depth_events: events.saturating_sub(sent),
            depth_bytes: bytes.saturating_sub(load(&self.sent_bytes)),
            oldest_unsent: self.age(now),
            sent: sent.saturating_sub(load(&self.rejected)),
            refused: load(&self.refused),
            dropped: load(&self.dropped),
            rejected: load(&self.rejected),
            failed: load(&self.failed),
            torn: load(&self.torn),
        }
    }

    fn age(&self, now: DateTime<Utc>) -> Duration {
        let oldest = self.oldest.load(Ordering::Relaxed);
        match DateTime::from_timestamp_micros(oldest) {
            Some(at) if oldest != 0 => (now - at).to_std().unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }
}
