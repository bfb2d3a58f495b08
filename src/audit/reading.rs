//! Follows the segments and gathers batches of rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};

use super::recovery::Records;
use super::segment::{HEADER, Segment};
use super::spool::Spool;
use super::stats::Counters;

/// Some ten thousand rows: the cost of a transaction is spread thin.
const BATCH: usize = 4 << 20;

const CHUNK: usize = 256 << 10;

/// Room for rows that is kept from batch to batch: a second of many requests.
const KEPT: usize = 512 << 10;

/// Rows to send, and how far that brings us.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Lines of COPY.
    pub(super) rows: Vec<u8>,
    events: u64,
    bytes: u64,
    oldest: Option<DateTime<Utc>>,
    /// Reading number → read up to here.
    reached: Vec<(usize, u64)>,
}

impl Batch {
    /// Nothing was read, not even an intent.
    pub(super) const fn is_empty(&self) -> bool {
        self.reached.is_empty()
    }
}

/// Where we are in every segment.
#[derive(Debug)]
pub(super) struct Follower {
    spool: Spool,
    readings: Vec<Reading>,
    chunk: Vec<u8>,
}

#[derive(Debug)]
struct Reading {
    segment: Arc<Segment>,
    sent: u64,
}

impl Follower {
    pub(super) const fn new(spool: Spool) -> Self {
        Self {
            spool,
            readings: Vec::new(),
            chunk: Vec::new(),
        }
    }

    /// What was committed and not sent yet, up to the size of a batch.
    pub(super) fn collect(&mut self, batch: &mut Batch) {
        batch.clear();
        let opened = self.spool.opened().into_iter();
        self.readings.extend(opened.map(|segment| Reading {
            segment,
            sent: HEADER as u64,
        }));
        for (number, reading) in self.readings.iter().enumerate() {
            if batch.rows.len() >= BATCH {
                break;
            }
            reading.collect(number, batch, &mut self.chunk, self.spool.counters());
        }
        let oldest = batch.oldest.map_or(0, |at| at.timestamp_micros());
        self.spool
            .counters()
            .oldest
            .store(oldest, Ordering::Relaxed);
    }

    /// Notes the batch as sent, and deletes the segments that are done with.
    pub(super) fn sent(&mut self, batch: &Batch) {
        for &(number, to) in &batch.reached {
            self.readings[number].sent = to;
        }
        let counters = self.spool.counters();
        counters
            .sent_events
            .fetch_add(batch.events, Ordering::Relaxed);
        counters
            .sent_bytes
            .fetch_add(batch.bytes, Ordering::Relaxed);
        self.delete_done();
    }

    /// Also those whose last intent was resolved only after all was sent.
    pub(super) fn delete_done(&mut self) {
        let directory = self.spool.directory();
        self.readings.retain(|reading| {
            let done = reading.segment.is_done(reading.sent);
            if done {
                directory.delete(&reading.segment);
            }
            !done
        });
    }
}

impl Reading {
    fn collect(&self, number: usize, batch: &mut Batch, chunk: &mut Vec<u8>, counters: &Counters) {
        let mut at = self.sent;
        while batch.rows.len() < BATCH && at < self.segment.committed() {
            if let Err(error) = self.segment.read(at, CHUNK, chunk) {
                let file = self.segment.path().display();
                tracing::error!(%file, %error, "cannot read the audit spool");
                break;
            }
            let read = batch.take(&self.segment, chunk);
            if read == 0 {
                at = self.skip_rest(counters);
            }
            at += read as u64;
        }
        if at > self.sent {
            batch.bytes += at - self.sent;
            batch.reached.push((number, at));
        }
    }

    /// Past a record that was whole when it was written and is not any more: the disk's
    /// doing. The rest of the file stays unsent rather than the whole trail.
    fn skip_rest(&self, counters: &Counters) -> u64 {
        counters.torn.fetch_add(1, Ordering::Relaxed);
        let file = self.segment.path().display();
        tracing::error!(%file, "the audit spool holds an unreadable record, its file is given up");
        self.segment.committed()
    }
}

impl Batch {
    fn clear(&mut self) {
        self.rows.clear();
        // What an outage of the database made it hold is given back.
        self.rows.shrink_to(KEPT);
        self.reached.clear();
        self.events = 0;
        self.bytes = 0;
        self.oldest = None;
    }

    /// Takes the whole records of a chunk, and says how long they are.
    fn take(&mut self, segment: &Segment, chunk: &[u8]) -> usize {
        let mut read = 0;
        for record in Records(chunk) {
            read += record.len();
            if segment.counts(&record) {
                if self.oldest.is_none() {
                    self.oldest = time(record.occurred_at());
                }
                self.events += 1;
                self.rows.extend_from_slice(record.row);
                self.rows.push(b'\n');
            }
        }
        read
    }
}

fn time(text: &[u8]) -> Option<DateTime<Utc>> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
