//! The directory of the spool: its generations, its budget, its files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SpoolError;
use super::generation::{self, Generation};
use super::segment::{EXTENSION, Segment};

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    own: Generation,
    /// Of processes that have ended, with the number of their files.
    adopted: Mutex<Vec<(Generation, usize)>>,
    segment_size: u64,
    /// Bytes that all generations together may take.
    budget: u64,
    /// Bytes of our own generation and the adopted ones.
    used: AtomicU64,
    /// Its file is locked while room is looked for and taken: during an upgrade two
    /// processes share the budget.
    taking: Mutex<File>,
    next: AtomicU64,
    full: AtomicBool,
}

impl Directory {
    /// A generation of our own, in a directory that is made if need be.
    pub(super) fn open(path: &Path, segment_size: u64, budget: u64) -> Result<Self, SpoolError> {
        super::lock::directory(path)?;
        let failed = |source| SpoolError::io(path, source);
        // Such files may be moved into the generation, and must not meet their names.
        let loose = generation::segments(path).map_err(failed)?;
        let next = loose.iter().filter_map(|file| number(file)).max();
        Ok(Self {
            path: path.to_owned(),
            own: Generation::create(path).map_err(failed)?,
            adopted: Mutex::default(),
            segment_size,
            budget,
            used: AtomicU64::new(0),
            taking: Mutex::new(File::create(path.join("budget")).map_err(failed)?),
            next: AtomicU64::new(next.map_or(0, |last| last + 1)),
            full: AtomicBool::new(false),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn segment_size(&self) -> u64 {
        self.segment_size
    }

    /// Files as earlier versions left them, next to the lock.
    pub(super) fn loose_files(&self) -> io::Result<Vec<PathBuf>> {
        generation::segments(&self.path)
    }

    /// Moves such a file into our own generation, where it keeps its name.
    pub(super) fn take_in(&self, loose: &Path) -> io::Result<PathBuf> {
        let taken = self.own.path().join(loose.file_name().unwrap_or_default());
        fs::rename(loose, &taken)?;
        Ok(taken)
    }

    /// Generations whose process has ended, and the files in them.
    pub(super) fn abandoned(&self) -> io::Result<(Vec<Generation>, Vec<PathBuf>)> {
        let generations = Generation::abandoned(&self.path)?;
        let mut files = Vec::new();
        for generation in &generations {
            files.extend(generation::segments(generation.path())?);
        }
        Ok((generations, files))
    }

    /// Counts these files as ours.
    pub(super) fn count(&self, files: &[PathBuf]) {
        let bytes = files.iter().map(|file| length(file)).sum();
        self.used.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Keeps these generations until the last of their files is deleted.
    pub(super) fn adopt(&self, generations: Vec<Generation>) {
        for generation in generations {
            // What cannot be listed is never empty.
            let files = generation::segments(generation.path()).map_or(1, |files| files.len());
            if files == 0 {
                remove(&generation);
            } else {
                self.adopted().push((generation, files));
            }
        }
    }

    /// A new segment, unless the budget or the disk is used up.
    pub(super) fn create(&self) -> Option<Segment> {
        let taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let created = self.within_budget(&taking);
        let _ = taking.unlock();
        match created {
            Ok(Some(segment)) => {
                self.full.store(false, Ordering::Relaxed);
                Some(segment)
            }
            Ok(None) => {
                self.note_full("its budget `audit.max_bytes` is used up");
                None
            }
            Err(error) => {
                self.note_full(&error.to_string());
                None
            }
        }
    }

    fn within_budget(&self, taking: &File) -> io::Result<Option<Segment>> {
        taking.lock()?;
        let used = self.used.load(Ordering::Acquire) + self.used_by_others()?;
        if used + self.segment_size > self.budget {
            return Ok(None);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.own.path().join(format!("{number:016x}.{EXTENSION}"));
        let segment = Segment::create(path, self.segment_size)?;
        self.used.fetch_add(self.segment_size, Ordering::AcqRel);
        Ok(Some(segment))
    }

    /// Bytes of generations that another process has, or that nobody has adopted yet.
    fn used_by_others(&self) -> io::Result<u64> {
        let mut bytes = 0;
        let adopted = self.adopted();
        for (_, path) in generation::numbered(&self.path)? {
            let ours = path == self.own.path() || adopted.iter().any(|(it, _)| it.path() == path);
            if !ours {
                // Gone meanwhile, if it cannot be read.
                let files = generation::segments(&path).unwrap_or_default();
                bytes += files.iter().map(|file| length(file)).sum::<u64>();
            }
        }
        Ok(bytes)
    }

    /// Removes a segment that Postgres has all of.
    pub(super) fn delete(&self, segment: &Segment) {
        let file = segment.path();
        let length = length(file);
        match fs::remove_file(file) {
            Ok(()) => {
                self.used.fetch_sub(length, Ordering::AcqRel);
            }
            // Its events are sent again by the next start, and found to be there.
            Err(error) => tracing::error!(
                file = %file.display(), %error, "cannot delete a file of the audit spool"
            ),
        }
        self.adopted().retain_mut(|(generation, files)| {
            if file.parent() == Some(generation.path()) {
                *files -= 1;
            }
            let done = *files == 0;
            if done {
                remove(generation);
            }
            !done
        });
    }

    fn adopted(&self) -> MutexGuard<'_, Vec<(Generation, usize)>> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says it once, not for each request that is refused.
    fn note_full(&self, why: &str) {
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::error!(directory = %self.path.display(), why, "the audit spool is full");
        }
    }
}

fn remove(generation: &Generation) {
    if let Err(error) = generation.remove() {
        let directory = generation.path().display();
        tracing::warn!(%directory, %error, "cannot remove a part of the audit spool");
    }
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |meta| meta.len())
}

fn number(file: &Path) -> Option<u64> {
    u64::from_str_radix(file.file_stem()?.to_str()?, 16).ok()
}
