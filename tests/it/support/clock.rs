//! A gateway whose wall clock can be set.

use std::path::PathBuf;

use super::gateway::TestGateway;

/// Where Debian keeps it; `faketime` is the package.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketime.so.1";

/// Sets the clock of one gateway, as long as this lives.
pub struct SetClock {
    offset: PathBuf,
    _dir: tempfile::TempDir,
}

impl SetClock {
    /// Of one that is not launched yet. It begins with the truth.
    pub fn of(gateway: &mut TestGateway) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let offset = dir.path().join("offset");
        std::fs::write(&offset, "+0").unwrap();
        for (name, value) in [
            ("LD_PRELOAD", LIBRARY),
            ("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ] {
            gateway.serve_with(name, value);
        }
        Self { offset, _dir: dir }
    }

    /// Sets it to so much from the truth: `+40s`.
    pub fn jump(&self, offset: &str) {
        let next = self.offset.with_extension("next");
        std::fs::write(&next, offset).unwrap();
        std::fs::rename(next, &self.offset).unwrap();
    }
}
