//! The directory of the spool: its lock, its budget, its files.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::SpoolError;
use super::segment::{EXTENSION, Segment};

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    segment_size: u64,
    /// Segments that may still be made. Negative after a restart with a smaller budget.
    left: AtomicI64,
    next: AtomicU64,
    full: AtomicBool,
    /// Held for as long as the spool is in use.
    _lock: File,
}

impl Directory {
    /// Takes the directory, making it if need be, and lists the files in it, oldest first.
    pub(super) fn take(
        path: &Path,
        segment_size: u64,
        segments: i64,
    ) -> Result<(Self, Vec<PathBuf>), SpoolError> {
        let failed = |source| SpoolError::io(path, source);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let files = segment_files(path).map_err(failed)?;
        let next = files.iter().filter_map(|file| number(file)).max();
        let directory = Self {
            path: path.to_owned(),
            segment_size,
            left: AtomicI64::new(segments - i64::try_from(files.len()).unwrap_or(i64::MAX)),
            next: AtomicU64::new(next.map_or(0, |last| last + 1)),
            full: AtomicBool::new(false),
            _lock: lock,
        };
        Ok((directory, files))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn segment_size(&self) -> u64 {
        self.segment_size
    }

    /// A new segment, unless the budget or the disk is used up.
    pub(super) fn create(&self) -> Option<Segment> {
        if self.left.fetch_sub(1, Ordering::AcqRel) <= 0 {
            self.left.fetch_add(1, Ordering::AcqRel);
            self.note_full("its budget `audit.max_bytes` is used up");
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{number:016x}.{EXTENSION}"));
        match Segment::create(path, self.segment_size) {
            Ok(segment) => {
                self.full.store(false, Ordering::Relaxed);
                Some(segment)
            }
            Err(error) => {
                self.left.fetch_add(1, Ordering::AcqRel);
                self.note_full(&error.to_string());
                None
            }
        }
    }

    /// Removes a segment that Postgres has all of.
    pub(super) fn delete(&self, segment: &Segment) {
        match fs::remove_file(segment.path()) {
            Ok(()) => drop(self.left.fetch_add(1, Ordering::AcqRel)),
            // Its events are sent again by the next start, and found to be there.
            Err(error) => tracing::error!(
                file = %segment.path().display(), %error, "cannot delete a file of the audit spool"
            ),
        }
    }

    /// Says it once, not for each request that is refused.
    fn note_full(&self, why: &str) {
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::error!(directory = %self.path.display(), why, "the audit spool is full");
        }
    }
}

fn segment_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn number(file: &Path) -> Option<u64> {
    u64::from_str_radix(file.file_stem()?.to_str()?, 16).ok()
}
