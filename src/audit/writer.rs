//! Sends the spool to Postgres.

use std::time::Duration;

use rand::Rng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::encode::COLUMNS;
use super::reading::{Batch, Follower};
use super::rejected;
use super::spool::Spool;
use super::stats::AuditStats;
use crate::clock::Clock;
use crate::store::{AuditSink, Db, SinkError};

/// How often the spool is looked at: requests wake nobody.
const POLL: Duration = Duration::from_millis(25);

/// Looks at the spool from one for what other processes left to the next.
const ADOPT_EVERY: u32 = 20;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The task that sends the spool to Postgres. Dropped, it sends what there is and ends.
#[derive(Debug)]
pub struct AuditWriter {
    spool: Spool,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl AuditWriter {
    /// Starts it; Postgres need not answer yet. One a spool: a second one would only see
    /// what the first has not looked at.
    #[must_use]
    pub fn spawn(spool: Spool, db: Db) -> Self {
        let (stop, stopped) = oneshot::channel();
        let writer = Writer {
            follower: Follower::new(spool.clone()),
            spool: spool.clone(),
            sink: AuditSink::new(db, COLUMNS),
        };
        let task = tokio::spawn(writer.run(stopped));
        Self { spool, stop, task }
    }

    /// Sends what is left, once nothing is committed any more, and ends; at the latest
    /// after `within`. What could not be sent stays in the spool for the next start: the
    /// numbers tell how much that is.
    pub async fn drain(mut self, within: Duration, clock: &Clock) -> AuditStats {
        // Fails only if the task is gone.
        let _ = self.stop.send(());
        if tokio::time::timeout(within, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = self.task.await;
        }
        self.spool.stats(clock)
    }
}

struct Writer {
    spool: Spool,
    follower: Follower,
    sink: AuditSink,
}

impl Writer {
    async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut batch = Batch::default();
        let mut stopping = false;
        let mut looks: u32 = 0;
        loop {
            if stopping {
                self.spool.seal();
            } else if looks.is_multiple_of(ADOPT_EVERY) {
                self.adopt().await;
            }
            looks = looks.wrapping_add(1);
            self.follower.collect(&mut batch);
            if !batch.is_empty() {
                self.deliver(&batch.rows).await;
                self.follower.sent(&batch);
            } else if stopping {
                return self.follower.delete_done();
            } else {
                self.follower.delete_done();
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    // Told to, or dropped.
                    _ = &mut stop => stopping = true,
                }
            }
        }
    }

    async fn adopt(&self) {
        let spool = self.spool.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || spool.adopt()).await {
            tracing::error!(%error, "cannot recover audit events");
        }
    }

    /// Returns when every row is in the table or put aside.
    ///
    /// Rows that are there already (sent before a crash, or by a commit whose answer was
    /// lost) are no second ones. If Postgres refuses one, halves are tried until it is found.
    async fn deliver(&mut self, rows: &[u8]) {
        let mut pending = vec![rows];
        let mut pause = FIRST_PAUSE;
        while let Some(part) = pending.pop().filter(|part| !part.is_empty()) {
            match self.sink.insert(part).await {
                Ok(()) => pause = FIRST_PAUSE,
                Err(SinkError::Unavailable(why)) => {
                    tracing::warn!(why, "audit events wait in the spool");
                    pending.push(part);
                    self.adopt().await;
                    tokio::time::sleep(jittered(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(SinkError::Rejected(why)) => match halves(part) {
                    Some((first, second)) => pending.extend([second, first]),
                    None => self.put_aside(part, &why),
                },
            }
        }
    }

    fn put_aside(&self, row: &[u8], why: &str) {
        let counters = self.spool.counters();
        counters
            .rejected
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        rejected::put_aside(self.spool.directory().path(), row, why);
    }
}

/// Several gateways that lost the same Postgres do not come back in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..1.0))
}

/// Two parts of whole lines; `None` if there is only one line.
fn halves(rows: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = rows.len().checked_sub(1)?;
    let end_of_line = |from: usize| rows[from..last].iter().position(|byte| *byte == b'\n');
    let middle = end_of_line(rows.len() / 2).map(|at| rows.len() / 2 + at);
    let cut = middle.or_else(|| end_of_line(0))?;
    Some(rows.split_at(cut + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_whole_lines_and_smaller() {
        assert_eq!(halves(b"a\nb\n"), Some((&b"a\n"[..], &b"b\n"[..])));
        assert_eq!(
            halves(b"a\nlonger\n"),
            Some((&b"a\n"[..], &b"longer\n"[..]))
        );
        assert_eq!(
            halves(b"longer\na\nb\n"),
            Some((&b"longer\n"[..], &b"a\nb\n"[..]))
        );
        assert_eq!(halves(b"alone\n"), None);
        assert_eq!(halves(b""), None);
    }
}
