//! Certificates are read anew when their files change.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use tokio::time::{MissedTickBehavior, interval};

use super::Tls;
use crate::clock::Clock;
use crate::telemetry::Metrics;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Follows the files of all addresses with TLS.
pub struct CertificateWatch {
    watched: Vec<Watched>,
    succeeded: IntCounter,
    failed: IntCounter,
    metrics: Arc<Metrics>,
    clock: Clock,
}

struct Watched {
    tls: Arc<Tls>,
    /// The files as of the last look.
    seen: [u8; 32],
    /// The files as of the last time they were read.
    tried: [u8; 32],
}

impl CertificateWatch {
    /// Follows these.
    #[must_use]
    pub fn new(
        tls: impl IntoIterator<Item = Arc<Tls>>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Self {
        let watched = tls.into_iter().map(|tls| {
            let digest = tls.digest();
            Watched {
                tls,
                seen: digest,
                tried: digest,
            }
        });
        let watch = Self {
            watched: watched.collect(),
            succeeded: metrics.transport.reload("success"),
            failed: metrics.transport.reload("failed"),
            metrics,
            clock,
        };
        watch.tell();
        watch
    }

    /// Looks at the files for ever.
    ///
    /// # Errors
    ///
    /// If a look panicked.
    pub async fn run(mut self) -> io::Result<()> {
        if self.watched.is_empty() {
            return std::future::pending().await;
        }
        let mut tick = interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // Files may be far away: no thread of the runtime waits for them.
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            self = looked.await.map_err(io::Error::other)?;
        }
    }

    /// A file that is being written differs from look to look: it is left alone until it
    /// is at rest, so that a key is not read before its certificate is there.
    fn look(&mut self) {
        for index in 0..self.watched.len() {
            let watched = &mut self.watched[index];
            let now = watched.tls.digest();
            let at_rest = now == watched.seen;
            watched.seen = now;
            if at_rest && now != watched.tried {
                watched.tried = now;
                let tls = Arc::clone(&watched.tls);
                self.reload(&tls);
            }
        }
    }

    /// Reads the files of one address; what is of no use stays as it was.
    fn reload(&self, tls: &Arc<Tls>) {
        let failures: Vec<String> = match tls.reload() {
            Ok(unusable) => unusable.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        };
        for failure in &failures {
            tracing::error!(%failure, "a certificate was not reloaded: the old one serves on");
        }
        if failures.is_empty() {
            self.succeeded.inc();
            tracing::info!("certificates were reloaded");
        } else {
            self.failed.inc();
        }
        self.tell();
    }

    /// Tells what serves now.
    fn tell(&self) {
        let tls = || self.watched.iter().map(|watched| &watched.tls);
        let expiries = tls().flat_map(|tls| tls.expiries());
        self.metrics.transport.tell_expiries(expiries);
        for warning in tls().flat_map(|tls| tls.warnings(self.clock.now())) {
            tracing::warn!(%warning, "a certificate needs attention");
        }
    }
}
