//! One file of the spool: a header line, records, zeros up to its allocated size.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::bounds;
use super::encode::{COLUMNS, Kind, Record};

pub(super) const EXTENSION: &str = "spool";

/// The first line; a file that begins otherwise was written by another version.
pub(super) fn header() -> String {
    format!("{MAGIC}{COLUMNS}\n")
}

const MAGIC: &str = "portcullis-spool 1 ";

/// Length of [`header`].
pub(super) const HEADER: usize = MAGIC.len() + COLUMNS.len() + 1;

#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// Up to here it holds whole records.
    committed: AtomicU64,
    /// Nothing is added any more.
    sealed: AtomicBool,
    /// Written since it was last brought to the disk.
    dirty: AtomicBool,
    /// Intents in it of requests that still run. It stays until they are resolved.
    open_intents: AtomicUsize,
    /// Ids of the intents in it that no event followed; only after recovery.
    interrupted: HashSet<Vec<u8>>,
}

impl Segment {
    /// A new file with room for `size` bytes: a full disk is noticed here or never.
    pub(super) fn create(path: PathBuf, size: u64) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let header = header();
        let prepared = allocate(&file, size).and_then(|()| file.write_all_at(header.as_bytes(), 0));
        if let Err(error) = prepared {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let committed = header.len() as u64;
        Ok(Self::new(path, file, committed, false, HashSet::new()))
    }

    /// A file of a former process.
    pub(super) fn recovered(
        path: PathBuf,
        file: File,
        committed: u64,
        interrupted: HashSet<Vec<u8>>,
    ) -> Self {
        Self::new(path, file, committed, true, interrupted)
    }

    fn new(
        path: PathBuf,
        file: File,
        committed: u64,
        sealed: bool,
        interrupted: HashSet<Vec<u8>>,
    ) -> Self {
        Self {
            path,
            file,
            committed: AtomicU64::new(committed),
            sealed: AtomicBool::new(sealed),
            dirty: AtomicBool::new(false),
            open_intents: AtomicUsize::new(0),
            interrupted,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Adds a record at the end; only ever called by one thread at a time.
    pub(super) fn append(&self, kind: Kind, record: &[u8]) -> io::Result<u64> {
        let at = self.committed();
        self.file.write_all_at(record, at)?;
        if kind == Kind::Intent {
            // Before the writer can see it, and delete the file.
            self.open_intents.fetch_add(1, Ordering::AcqRel);
        }
        let end = at + record.len() as u64;
        self.committed.store(end, Ordering::Release);
        Ok(at)
    }

    pub(super) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    /// Whether all of it was sent and nothing will be added.
    pub(super) fn is_done(&self, sent: u64) -> bool {
        self.sealed.load(Ordering::Acquire)
            && self.open_intents.load(Ordering::Acquire) == 0
            && self.committed() == sent
    }

    pub(super) fn close_intent(&self) {
        self.open_intents.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether the record is to be sent.
    pub(super) fn counts(&self, record: &Record<'_>) -> bool {
        record.kind == Kind::Event || self.interrupted.contains(record.id())
    }

    /// Fills `buffer` with committed bytes from `at` on, at most `most` of them.
    pub(super) fn read(&self, at: u64, most: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        let there = usize::try_from(self.committed().saturating_sub(at)).unwrap_or(usize::MAX);
        buffer.resize(there.min(most), 0);
        self.file.read_exact_at(buffer, at)
    }

    /// The row of the record at `at`.
    pub(super) fn row(&self, at: u64) -> io::Result<Vec<u8>> {
        let mut buffer = Vec::new();
        self.read(at, bounds::RECORD, &mut buffer)?;
        Record::read(&buffer)
            .map(|record| record.row.to_vec())
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Marks it as written to; whether it was clean before.
    pub(super) fn soil(&self) -> bool {
        !self.dirty.swap(true, Ordering::AcqRel)
    }

    /// Brings it to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.dirty.store(false, Ordering::Release);
        self.file.sync_data()
    }
}

fn allocate(file: &File, size: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, size) {
        Ok(()) => Ok(()),
        // A file system without it: writing has the same effect.
        Err(Errno::OPNOTSUPP) => file.write_all_at(&vec![0; usize::try_from(size).unwrap_or(0)], 0),
        Err(error) => Err(error.into()),
    }
}
