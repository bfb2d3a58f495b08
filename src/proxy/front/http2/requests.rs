//! The requests of a connection, and since when there is none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// How many there are, and when the last of them began or ended.
#[derive(Debug)]
pub(super) struct Requests(Mutex<(usize, Instant)>);

impl Default for Requests {
    fn default() -> Self {
        Self(Mutex::new((0, Instant::now())))
    }
}

impl Requests {
    pub(super) fn enter(self: &Arc<Self>) -> Request {
        self.state().0 += 1;
        Request(Arc::clone(self))
    }

    /// Since when there is none.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        match *self.state() {
            (0, since) => Some(since),
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, (usize, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them.
#[derive(Debug)]
pub(super) struct Request(Arc<Requests>);

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.0.state();
        *state = (state.0 - 1, Instant::now());
    }
}
