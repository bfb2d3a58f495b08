//! Brings the spool to the disk every so often.
//!
//! A commit ends in the page cache, which outlives the process but not the power. One
//! thread syncs for all: a sync a request would cost more than the request.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::shard::Shard;

#[derive(Debug)]
pub(super) struct Syncer {
    /// Dropped to end the thread.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn spawn(shards: Vec<Arc<Shard>>, every: Duration) -> io::Result<Self> {
        let (alive, ended) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("audit-sync".to_owned())
            .spawn(move || {
                while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    tend(&shards);
                }
                tend(&shards);
            })?;
        Ok(Self {
            alive: Some(alive),
            thread: Some(thread),
        })
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(thread) = self.thread.take() {
            // Panicked, at worst: then it has said so.
            let _ = thread.join();
        }
    }
}

fn tend(shards: &[Arc<Shard>]) {
    for shard in shards {
        for segment in shard.dirty() {
            if let Err(error) = segment.sync() {
                let file = segment.path().display();
                tracing::error!(%file, %error, "cannot bring the audit spool to the disk");
            }
        }
        shard.prepare();
    }
}
