//! Room for one event, reserved before the request is forwarded.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::encode::{self, Kind};
use super::segment::Segment;
use super::shard::Shard;
use super::spool::SpoolFull;
use super::stats::Counters;
use crate::domain::{AuditEvent, WhenFull};

thread_local! {
    /// Reused, so that a commit allocates nothing.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The event could not be written; its row is in the log instead.
#[derive(Debug, thiserror::Error)]
#[error("writing to the audit spool: {0}")]
pub struct CommitError(#[from] io::Error);

/// Room for one event. Dropped without a commit, it gives the room back, or records
/// the request as interrupted if it left an intent.
#[derive(Debug)]
#[must_use = "a request owes its event"]
pub struct Slot {
    /// `None` when the spool is full and the operator chose to drop events.
    shard: Option<Arc<Shard>>,
    intent: Option<Intent>,
    when_full: WhenFull,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Intent {
    segment: Arc<Segment>,
    at: u64,
}

impl Slot {
    pub(super) const fn reserved(
        shard: Arc<Shard>,
        when_full: WhenFull,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            shard: Some(shard),
            intent: None,
            when_full,
            counters,
        }
    }

    pub(super) const fn dropping(counters: Arc<Counters>) -> Self {
        Self {
            shard: None,
            intent: None,
            when_full: WhenFull::Drop,
            counters,
        }
    }

    /// Records that the request is about to be forwarded. If the gateway is killed before
    /// the commit, the next start makes an event of it: `failed`, `gateway_interrupted`.
    ///
    /// `id` and `occurred_at` must be those of the event that will be committed; result,
    /// reason, status and latency do not matter.
    ///
    /// # Errors
    ///
    /// [`SpoolFull`] when there is no room for it and [`WhenFull::Refuse`] holds: then do
    /// not forward. Room for the event itself is still there.
    pub fn intend(&mut self, event: &AuditEvent) -> Result<(), SpoolFull> {
        let Some(shard) = &self.shard else {
            return Ok(());
        };
        if !shard.reserve() {
            return self.without_intent();
        }
        let written = with_record(Kind::Intent, event, |record| {
            shard.append(Kind::Intent, record)
        });
        let (segment, at) = written.map_err(|error| {
            tracing::error!(%error, "writing to the audit spool");
            shard.release();
            SpoolFull
        })?;
        self.intent = Some(Intent { segment, at });
        Ok(())
    }

    fn without_intent(&self) -> Result<(), SpoolFull> {
        match self.when_full {
            WhenFull::Drop => Ok(()),
            WhenFull::Refuse => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                Err(SpoolFull)
            }
        }
    }

    /// Writes the event. When this returns, a `kill -9` cannot lose it.
    ///
    /// # Errors
    ///
    /// When the disk fails. (A full disk fails earlier, at the reservation.)
    pub fn commit(mut self, event: &AuditEvent) -> Result<(), CommitError> {
        with_record(Kind::Event, event, |record| self.write(record))
    }

    fn write(&mut self, record: &[u8]) -> Result<(), CommitError> {
        let intent = self.intent.take();
        let Some(shard) = self.shard.take() else {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let written = shard.append(Kind::Event, record).map(drop);
        match &written {
            Ok(()) => drop(shard.events.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                shard.release();
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                let record = String::from_utf8_lossy(record);
                tracing::error!(%error, %record, "an audit event could not be written to the spool");
            }
        }
        // Only now: the event must be there before the intent may go.
        if let Some(intent) = intent {
            intent.segment.close_intent();
        }
        written.map_err(CommitError)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let row = self.intent.as_ref().map(|it| it.segment.row(it.at));
        match row {
            Some(Ok(row)) => BUFFER.with_borrow_mut(|buffer| {
                encode::record_of_row(buffer, Kind::Event, &row);
                // Logged inside; nobody is left to tell.
                let _ = self.write(buffer);
            }),
            Some(Err(error)) => tracing::error!(%error, "reading the audit spool"),
            None => {}
        }
        if let Some(shard) = self.shard.take() {
            shard.release();
        }
    }
}

fn with_record<T>(kind: Kind, event: &AuditEvent, then: impl FnOnce(&[u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        encode::record(buffer, kind, event);
        then(buffer)
    })
}
