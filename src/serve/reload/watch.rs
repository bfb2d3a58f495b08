//! Notices that files have changed.
//!
//! By reading them every so often, not by inotify: that watches directory entries, and
//! would have to follow renames, links (a Kubernetes `ConfigMap` swaps one far above the
//! file) and remounts, and sees nothing on many network file systems. A few files are
//! read and hashed in less time than it takes to be told so.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::config::{Digest, Files};

/// How often the files are read.
const EVERY: Duration = Duration::from_millis(500);

/// The files as they were taken, and as they were last seen.
pub(super) struct Watch {
    taken: Files,
    seen: Files,
    ticks: Interval,
}

impl Watch {
    pub(super) fn new(taken: Files) -> Self {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            seen: taken.clone(),
            taken,
            ticks,
        }
    }

    /// The files as they have just been read, whatever was made of them.
    pub(super) fn read(&mut self, files: Files) {
        self.seen.clone_from(&files);
        self.taken = files;
    }

    pub(super) fn digest(&self, path: &Path) -> Option<Digest> {
        self.taken.digest(path)
    }

    /// Waits until they are others than those taken, and the same twice in a row: a file
    /// that is being written, or half of a pair, is not taken for what it will be.
    pub(super) async fn changed(&mut self) {
        loop {
            self.ticks.tick().await;
            let taken = self.taken.clone();
            let looked = tokio::task::spawn_blocking(move || taken.look_again()).await;
            // Lost only if the runtime ends.
            let Ok(now) = looked else { continue };
            let settled = now == self.seen;
            self.seen = now;
            if settled && self.seen != self.taken {
                return;
            }
        }
    }
}
