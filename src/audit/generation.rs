//! One process's part of the spool: `spool/<n>/`, locked for as long as the process lives.
//!
//! Two gateways share a spool while one takes over from the other. Each writes to a
//! generation of its own; one whose process has ended is adopted by whoever runs, sent,
//! and removed. The kernel takes the lock from a process that dies, however it dies.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::segment::EXTENSION;

const LOCK: &str = "lock";

#[derive(Debug)]
pub(super) struct Generation {
    path: PathBuf,
    _lock: File,
}

impl Generation {
    /// A new one, numbered after all that are there.
    pub(super) fn create(spool: &Path) -> io::Result<Self> {
        let last = numbered(spool)?.into_iter().map(|(number, _)| number).max();
        let mut number = last.map_or(0, |last| last + 1);
        loop {
            let path = spool.join(number.to_string());
            number += 1;
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            match File::create(path.join(LOCK)) {
                // Somebody found it empty, without its lock, and removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                lock => {
                    if let Some(generation) = Self::lock(path, lock?)? {
                        return Ok(generation);
                    }
                }
            }
        }
    }

    /// Those whose process has ended, the oldest first. They are ours from here on.
    pub(super) fn abandoned(spool: &Path) -> io::Result<Vec<Self>> {
        let mut abandoned = Vec::new();
        for (_, path) in numbered(spool)? {
            match File::open(path.join(LOCK)) {
                Ok(lock) => abandoned.extend(Self::lock(path, lock)?),
                // Half removed, or half made: the lock comes first and goes last.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let _ = fs::remove_dir(path);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(abandoned)
    }

    /// `None` if another process has it, or has just removed it.
    fn lock(path: PathBuf, lock: File) -> io::Result<Option<Self>> {
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let inode = lock.metadata()?.ino();
        let is_there = fs::metadata(path.join(LOCK)).is_ok_and(|there| there.ino() == inode);
        Ok(is_there.then_some(Self { path, _lock: lock }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it; fails if there is more in it than the lock.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_file(self.path.join(LOCK))?;
        match fs::remove_dir(&self.path) {
            // Somebody found it without its lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// Generations by their number.
pub(super) fn numbered(spool: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(spool)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(number) = name.to_str().and_then(|name| name.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The files of events in a directory, oldest first.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<PathBuf>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(generations: &[Generation]) -> Vec<&str> {
        let names = generations.iter().map(|it| it.path.file_name().unwrap());
        names.map(|name| name.to_str().unwrap()).collect()
    }

    #[test]
    fn one_is_adopted_once_and_only_when_its_owner_is_gone() {
        let spool = tempfile::tempdir().unwrap();
        let [first, second] = [(); 2].map(|()| Generation::create(spool.path()).unwrap());
        assert_eq!(numbers(&[first, second]), ["0", "1"]);
        let third = Generation::create(spool.path()).unwrap();
        let adopted = Generation::abandoned(spool.path()).unwrap();
        assert_eq!(numbers(&adopted), ["0", "1"]);
        assert!(Generation::abandoned(spool.path()).unwrap().is_empty());
        for generation in adopted {
            generation.remove().unwrap();
        }
        drop(third);
        let left = Generation::abandoned(spool.path()).unwrap();
        assert_eq!(numbers(&left), ["2"]);
    }

    #[test]
    fn makers_and_adopters_do_not_get_into_each_other_s_way() {
        let spool = tempfile::tempdir().unwrap();
        let made = std::sync::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let generation = Generation::create(spool.path()).unwrap();
                        made.lock().unwrap().push(generation);
                    }
                });
                scope.spawn(|| {
                    for _ in 0..200 {
                        // One that is made, but not yet locked, may be taken for one.
                        for empty in Generation::abandoned(spool.path()).unwrap() {
                            empty.remove().unwrap();
                        }
                    }
                });
            }
        });
        for generation in made.into_inner().unwrap() {
            assert!(generation.path.join(LOCK).exists());
        }
    }
}
