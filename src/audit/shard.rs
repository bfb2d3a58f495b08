//! The part of the spool that one worker thread writes to.
//!
//! `room` is what the shard's segments can still take without any further allocation,
//! less what is reserved: whoever holds a reservation can write, come what may. A
//! segment counts with its size less one largest record, because the record that does
//! not fit any more goes to the next one whole; what a segment took beyond that is
//! given back when it is sealed.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bounds;
use super::directory::Directory;
use super::encode::Kind;
use super::segment::{HEADER, Segment};

/// What a slot reserves.
#[expect(clippy::cast_possible_wrap, reason = "a few KiB")]
pub(super) const RESERVATION: i64 = bounds::RECORD as i64;

#[derive(Debug)]
pub(super) struct Shard {
    directory: Arc<Directory>,
    room: AtomicI64,
    files: Mutex<Files>,
    /// Events ever committed here.
    pub(super) events: AtomicU64,
    /// Bytes ever committed here.
    pub(super) bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Files {
    current: Option<Arc<Segment>>,
    /// Allocated, still empty.
    ready: VecDeque<Arc<Segment>>,
    /// Written to since the writer last asked for them.
    opened: Vec<Arc<Segment>>,
    /// Written to since they were last brought to the disk.
    dirty: Vec<Arc<Segment>>,
}

impl Shard {
    pub(super) fn new(directory: Arc<Directory>) -> Self {
        Self {
            directory,
            room: AtomicI64::new(0),
            files: Mutex::default(),
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Sets room for one record apart. Takes no lock unless a segment must be made.
    pub(super) fn reserve(&self) -> bool {
        self.try_reserve() || (self.grow(RESERVATION) && self.try_reserve())
    }

    fn try_reserve(&self) -> bool {
        self.room
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |room| {
                (room >= RESERVATION).then_some(room - RESERVATION)
            })
            .is_ok()
    }

    pub(super) fn release(&self) {
        self.room.fetch_add(RESERVATION, Ordering::AcqRel);
    }

    /// Makes a segment ahead of need, so that requests seldom wait for one.
    pub(super) fn prepare(&self) {
        self.grow(self.capacity() / 2);
    }

    /// Makes a segment unless there is room for `wanted` bytes.
    fn grow(&self, wanted: i64) -> bool {
        let mut files = self.files();
        if self.room.load(Ordering::Acquire) >= wanted {
            return true;
        }
        let Some(segment) = self.directory.create() else {
            return false;
        };
        files.ready.push_back(Arc::new(segment));
        self.room.fetch_add(self.capacity(), Ordering::AcqRel);
        true
    }

    /// What a segment surely takes.
    fn capacity(&self) -> i64 {
        let overhead = (HEADER + bounds::RECORD) as u64;
        i64::try_from(self.directory.segment_size() - overhead).unwrap_or(i64::MAX)
    }

    /// Writes a record on a reservation, which is used up if that succeeds.
    /// The segment stays until its intents are closed.
    pub(super) fn append(&self, kind: Kind, record: &[u8]) -> io::Result<(Arc<Segment>, u64)> {
        let mut files = self.files();
        let segment = files.current()?;
        let at = segment.append(kind, record)?;
        let length = i64::try_from(record.len()).unwrap_or(RESERVATION);
        self.room.fetch_add(RESERVATION - length, Ordering::AcqRel);
        self.bytes.fetch_add(record.len() as u64, Ordering::Relaxed);
        if segment.soil() {
            files.dirty.push(Arc::clone(&segment));
        }
        let excess = Self::taken(&segment) - self.capacity();
        if excess > 0 {
            self.room.fetch_add(excess, Ordering::AcqRel);
            files.seal();
        }
        Ok((segment, at))
    }

    /// Ends the current segment, so that it can be deleted when it is sent.
    pub(super) fn seal(&self) {
        let mut files = self.files();
        if let Some(segment) = &files.current {
            let unused = self.capacity() - Self::taken(segment);
            // What others have reserved must stay covered.
            let spare = self
                .room
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |room| {
                    (room >= unused).then_some(room - unused)
                });
            if spare.is_ok() {
                files.seal();
            }
        }
    }

    fn taken(segment: &Segment) -> i64 {
        i64::try_from(segment.committed() - HEADER as u64).unwrap_or(i64::MAX)
    }

    /// Segments first written to since the last call.
    pub(super) fn opened(&self) -> Vec<Arc<Segment>> {
        std::mem::take(&mut self.files().opened)
    }

    /// Segments written to since the last call.
    pub(super) fn dirty(&self) -> Vec<Arc<Segment>> {
        std::mem::take(&mut self.files().dirty)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        // A panic in between leaves a record that is not committed: nothing broken.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn current(&mut self) -> io::Result<Arc<Segment>> {
        if self.current.is_none() {
            self.current = self.ready.pop_front();
            self.opened.extend(self.current.clone());
        }
        let current = self.current.clone();
        current.ok_or_else(|| io::Error::other("a record was written without a reservation"))
    }

    fn seal(&mut self) {
        if let Some(segment) = self.current.take() {
            segment.seal();
        }
    }
}
