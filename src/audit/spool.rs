//! The local durable buffer that audit events wait in.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::directory::Directory;
use super::lock::SpoolLock;
use super::segment::Segment;
use super::shard::Shard;
use super::slot::Slot;
use super::stats::{AuditStats, Counters};
use super::sync::Syncer;
use super::{bounds, recovery};
use crate::clock::Clock;
use crate::domain::WhenFull;

/// How a spool is kept.
#[derive(Clone, Copy, Debug)]
pub struct SpoolOptions {
    /// Bytes on disk, at most. Never less than two smallest segments a shard.
    pub max_bytes: u64,
    /// What to do when they are used up.
    pub when_full: WhenFull,
    /// One for each thread that commits, so that none waits for another.
    pub shards: usize,
    /// How often what was written is brought to the disk: what a power cut can lose.
    pub sync_every: Duration,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            when_full: WhenFull::Refuse,
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            sync_every: Duration::from_millis(200),
        }
    }
}

impl SpoolOptions {
    const LARGEST_SEGMENT: u64 = 4 << 20;
    const SMALLEST_SEGMENT: u64 = 8 * bounds::RECORD as u64;

    /// Small enough that a full spool shrinks in several steps.
    fn segment_size(&self) -> u64 {
        let share = self.max_bytes / (8 * self.shards as u64);
        share.clamp(Self::SMALLEST_SEGMENT, Self::LARGEST_SEGMENT)
    }

    fn budget(&self) -> u64 {
        let least = 2 * self.shards as u64 * self.segment_size();
        self.max_bytes.max(least)
    }
}

/// There is no room for another event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit spool is full")]
pub struct SpoolFull;

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Two gateways may not share one.
    #[error("{0} is in use by another process: each gateway needs an audit spool of its own")]
    InUse(PathBuf),
    /// Written by another version.
    #[error(
        "{0} was written by another version of Portcullis: let that version send it, or move it away"
    )]
    OtherVersion(PathBuf),
    /// A file operation failed.
    #[error("{path}: {source}")]
    Io {
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SpoolError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// The spool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Vec<Arc<Shard>>,
    directory: Arc<Directory>,
    counters: Arc<Counters>,
    when_full: WhenFull,
    /// Files of former processes that the writer has not taken yet.
    recovered: Mutex<Vec<Arc<Segment>>>,
    /// Held by the gateway; during an upgrade first by one, then by the other.
    lock: Mutex<Option<SpoolLock>>,
    _syncer: Syncer,
}

impl Spool {
    /// Takes the directory, making it if need be, and recovers what former processes
    /// left in it.
    ///
    /// # Errors
    ///
    /// When another process uses it, another version wrote it, or it cannot be read.
    pub fn open(dir: &Path, options: SpoolOptions) -> Result<Self, SpoolError> {
        let lock = SpoolLock::take(dir)?;
        let spool = Self::beside(dir, options)?;
        spool.take_over()?;
        spool.hold(lock);
        Ok(spool)
    }

    /// Joins a spool that another gateway uses, for taking over from it.
    ///
    /// # Errors
    ///
    /// When it cannot be written to.
    pub fn beside(dir: &Path, options: SpoolOptions) -> Result<Self, SpoolError> {
        let directory = Directory::open(dir, options.segment_size(), options.budget())?;
        let directory = Arc::new(directory);
        let shards: Vec<_> = (0..options.shards.max(1))
            .map(|_| Arc::new(Shard::new(Arc::clone(&directory))))
            .collect();
        Ok(Self(Arc::new(Inner {
            _syncer: Syncer::spawn(shards.clone(), options.sync_every)
                .map_err(|source| SpoolError::io(dir, source))?,
            shards,
            directory,
            counters: Arc::default(),
            when_full: options.when_full,
            recovered: Mutex::default(),
            lock: Mutex::default(),
        })))
    }

    /// The files of earlier versions, which had no generations, and those of processes
    /// that have ended: together, for an intent may be in one and its event in another.
    fn take_over(&self) -> Result<(), SpoolError> {
        let directory = &self.0.directory;
        let failed = |source| SpoolError::io(directory.path(), source);
        let loose = directory.loose_files().map_err(failed)?;
        let (generations, mut files) = directory.abandoned().map_err(failed)?;
        files.extend(loose.iter().cloned());
        directory.count(&files);
        let segments = recovery::recover(directory, files, &self.0.counters, |file| {
            if loose.contains(&file) {
                directory.take_in(&file)
            } else {
                Ok(file)
            }
        })?;
        self.follow(segments);
        directory.adopt(generations);
        Ok(())
    }

    /// What processes left that have ended since. What cannot be read is left as it is,
    /// and ours, so that it is told once.
    pub(super) fn adopt(&self) {
        let directory = &self.0.directory;
        let (generations, files) = match directory.abandoned() {
            Ok((generations, _)) if generations.is_empty() => return,
            Ok(abandoned) => abandoned,
            Err(error) => return tracing::error!(%error, "cannot look through the audit spool"),
        };
        directory.count(&files);
        match recovery::recover(directory, files, &self.0.counters, Ok) {
            Ok(segments) => self.follow(segments),
            Err(error) => tracing::error!(%error, "cannot recover audit events"),
        }
        directory.adopt(generations);
    }

    fn follow(&self, segments: Vec<Arc<Segment>>) {
        let recovered = &self.0.recovered;
        let mut recovered = recovered.lock().unwrap_or_else(PoisonError::into_inner);
        recovered.extend(segments);
    }

    /// Holds the lock for as long as the spool is used, or until [`Self::release`].
    pub fn hold(&self, lock: SpoolLock) {
        *self.lock() = Some(lock);
    }

    /// Lets go of the lock: somebody else holds it by now. What is in our generation is
    /// still ours.
    pub fn release(&self) {
        *self.lock() = None;
    }

    /// A copy of the lock, to be handed over; `None` without one.
    ///
    /// # Errors
    ///
    /// When the process has no more file descriptors.
    pub fn share_lock(&self) -> io::Result<Option<File>> {
        let lock = self.lock();
        lock.as_ref()
            .map(|lock| lock.file().try_clone())
            .transpose()
    }

    fn lock(&self) -> MutexGuard<'_, Option<SpoolLock>> {
        self.0.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for one event, to be had before the request is forwarded. Takes no lock
    /// that other threads hold in the ordinary course of things.
    ///
    /// # Errors
    ///
    /// When there is none and [`WhenFull::Refuse`] holds.
    pub fn reserve(&self) -> Result<Slot, SpoolFull> {
        let Inner {
            shards, counters, ..
        } = &*self.0;
        let first = shard_of_this_thread() % shards.len();
        let (after, before) = (&shards[first..], &shards[..first]);
        if let Some(shard) = after.iter().chain(before).find(|shard| shard.reserve()) {
            let (shard, counters) = (Arc::clone(shard), Arc::clone(counters));
            return Ok(Slot::reserved(shard, self.0.when_full, counters));
        }
        match self.0.when_full {
            WhenFull::Drop => Ok(Slot::dropping(Arc::clone(counters))),
            WhenFull::Refuse => {
                counters.refused.fetch_add(1, Ordering::Relaxed);
                Err(SpoolFull)
            }
        }
    }

    /// The numbers of this moment.
    #[must_use]
    pub fn stats(&self, clock: &Clock) -> AuditStats {
        let shards = &self.0.shards;
        let sum = |of: fn(&Shard) -> u64| shards.iter().map(|shard| of(shard)).sum();
        let events = sum(|shard| shard.events.load(Ordering::Relaxed));
        let bytes = sum(|shard| shard.bytes.load(Ordering::Relaxed));
        self.0.counters.stats(events, bytes, clock.now())
    }

    /// Segments to follow that were not handed out before.
    pub(super) fn opened(&self) -> Vec<Arc<Segment>> {
        let recovered = &self.0.recovered;
        let mut all =
            std::mem::take(&mut *recovered.lock().unwrap_or_else(PoisonError::into_inner));
        all.extend(self.0.shards.iter().flat_map(|shard| shard.opened()));
        all
    }

    /// Ends the current segments, so that they are deleted when they are sent.
    pub(super) fn seal(&self) {
        for shard in &self.0.shards {
            shard.seal();
        }
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.0.counters
    }
}

/// Threads are numbered as they first come: each worker gets a shard of its own.
fn shard_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let mine = NEXT.fetch_add(1, Ordering::Relaxed);
            number.set(Some(mine));
            mine
        })
    })
}
