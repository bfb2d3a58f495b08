//! Where the two processes meet.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Socket on which the running gateway is asked.
const CONTROL: &str = "control";

/// The directory, open: so that the paths of its sockets are short, wherever it is.
pub(super) struct Place(OwnedFd);

impl Place {
    /// The directory under `data_dir`, made if need be, closed to others.
    pub(super) fn open(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join("upgrade");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(&path, flags, Mode::empty())?))
    }

    pub(super) fn control(&self) -> String {
        self.socket(CONTROL)
    }

    /// A path for this process, within the 107 bytes that a socket's may have.
    pub(super) fn socket(&self, name: &str) -> String {
        format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd())
    }
}
