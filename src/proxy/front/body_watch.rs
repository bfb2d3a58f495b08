//! A body over HTTP/2 that is waited for.
//!
//! Over HTTP/1 the connection itself shows that a client sends nothing. Over HTTP/2 others
//! may be busy on it, and Pingora waits for a stream's body without an end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

tokio::task_local! {
    /// The watch of the stream that this task serves.
    static WATCH: Arc<BodyWatch>;
}

/// When something of a body came last.
#[derive(Debug, Default)]
pub(in crate::proxy) struct BodyWatch(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// There is none to wait for.
    #[default]
    Idle,
    /// More is to come since then.
    Awaited(Instant),
    /// It was waited for too long.
    Stalled,
}

impl BodyWatch {
    /// The watch of the stream that the current task serves, if it serves one.
    pub(in crate::proxy) fn current() -> Option<Arc<Self>> {
        WATCH.try_with(Arc::clone).ok()
    }

    /// Serves a stream, unless its body stalls for so long.
    pub(super) async fn guard(idle: Duration, serving: impl Future<Output = ()>) {
        let watch = Arc::new(Self::default());
        tokio::select! {
            () = WATCH.scope(Arc::clone(&watch), serving) => {}
            () = watch.stalled(idle) => {}
        }
    }

    /// More is to come.
    pub(in crate::proxy) fn await_more(&self) {
        *self.state() = State::Awaited(Instant::now());
    }

    /// All has come.
    pub(in crate::proxy) fn complete(&self) {
        *self.state() = State::Idle;
    }

    pub(in crate::proxy) fn has_stalled(&self) -> bool {
        matches!(*self.state(), State::Stalled)
    }

    async fn stalled(&self, idle: Duration) {
        loop {
            let now = Instant::now();
            let due = match *self.state() {
                State::Awaited(since) if since + idle <= now => break,
                State::Awaited(since) => since + idle,
                State::Idle | State::Stalled => now + idle,
            };
            sleep_until(due).await;
        }
        *self.state() = State::Stalled;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
