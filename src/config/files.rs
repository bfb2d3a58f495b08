//! The files that a configuration consists of, as they were read.
//!
//! What was read is noted by its digest, so that whoever watches the files compares with
//! exactly that: a change between reading and the first look cannot be missed, and a file
//! that was replaced by the same bytes is no change.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// SHA-256 of a file's bytes; shown as `sha256sum` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Every file and what it held; `None`: it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Option<Digest>>);

impl Files {
    /// The same files as they are now. Links are followed anew: a file may have been
    /// replaced by rename, or a directory above it by another link.
    #[must_use]
    pub fn look_again(&self) -> Self {
        let now = |path: &PathBuf| (path.clone(), digest(std::fs::read(path).as_deref()));
        Self(self.0.keys().map(now).collect())
    }

    /// What this file held, if it was read.
    #[must_use]
    pub fn digest(&self, path: &Path) -> Option<Digest> {
        self.0.get(path).copied().flatten()
    }
}

fn digest<E>(read: Result<&[u8], E>) -> Option<Digest> {
    read.ok().map(|bytes| Digest(Sha256::digest(bytes).into()))
}

/// Reads files and notes what they held.
#[derive(Debug, Default)]
pub(super) struct Reads(RefCell<Files>);

impl Reads {
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let read = std::fs::read(path);
        let noted = digest(read.as_deref());
        self.0.borrow_mut().0.insert(path.to_owned(), noted);
        read
    }

    pub fn into_files(self) -> Files {
        self.0.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_are_a_change_and_the_same_bytes_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        let reads = Reads::default();
        assert!(reads.read(&path).is_err());
        let missing = reads.into_files();
        assert_eq!(missing.look_again(), missing);
        std::fs::write(&path, "1").unwrap();
        let one = missing.look_again();
        assert_ne!(one, missing);
        std::fs::write(&other, "1").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(one.look_again(), one);
        std::fs::write(&path, "2").unwrap();
        assert_ne!(one.look_again(), one);
    }

    #[test]
    fn a_digest_is_shown_as_by_sha256sum() {
        let empty = digest::<()>(Ok(&[])).unwrap().to_string();
        assert_eq!(
            empty,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
