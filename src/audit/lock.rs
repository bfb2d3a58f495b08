//! Who may use a spool.

use std::fs::{File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::SpoolError;

/// The right to be the gateway of a spool. It is a lock of the file `spool/lock`, which
/// belongs to the open file and not to the process: a successor that is sent the file
/// holds it as well, and keeps it when this process lets go.
#[derive(Debug)]
pub struct SpoolLock(File);

impl SpoolLock {
    /// Takes it, making the directory if need be.
    ///
    /// # Errors
    ///
    /// [`SpoolError::InUse`] when another process has it.
    pub fn take(spool: &Path) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::io(spool, source);
        directory(spool)?;
        let lock = File::create(spool.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self(lock)),
            Err(TryLockError::WouldBlock) => Err(SpoolError::InUse(spool.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// As it was handed over.
    #[must_use]
    pub const fn inherited(lock: File) -> Self {
        Self(lock)
    }

    /// To be handed over.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.0
    }
}

/// Makes the directory of a spool, for nobody else to read.
pub(super) fn directory(spool: &Path) -> Result<(), SpoolError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(spool)
        .map_err(|source| SpoolError::io(spool, source))
}
