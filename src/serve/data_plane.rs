//! The data plane: Pingora on threads of its own.

use std::sync::Arc;
use std::time::Duration;

use pingora::server::configuration::ServerConf;
use pingora_runtime::Runtime;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::stop::Stop;
use crate::authn::KeyUsage;
use crate::config::{Settings, Shutdown};
use crate::proxy::{Front, Gateway, InFlight, Listener};

/// Idle connections kept to all upstreams together, a worker.
const UPSTREAM_POOL: usize = 512;
/// How often the end of the last request is looked for while stopping.
const LOOK: Duration = Duration::from_millis(10);
/// What tasks without a request get to end in.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// Serves requests until it is stopped.
pub(super) struct DataPlane {
    runtime: Runtime,
    accepting: JoinHandle<()>,
    shutdown: watch::Sender<bool>,
    in_flight: InFlight,
    usage: Arc<KeyUsage>,
}

/// Worker threads, and shards of the audit spool.
pub(super) fn workers(settings: &Settings) -> usize {
    settings
        .workers
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

impl DataPlane {
    /// Takes requests from here on.
    pub(super) fn start(settings: &Settings, gateway: Gateway, listeners: Vec<Listener>) -> Self {
        let conf = Arc::new(ServerConf {
            threads: workers(settings),
            upstream_keepalive_pool_size: UPSTREAM_POOL,
            ..ServerConf::default()
        });
        let in_flight = gateway.in_flight.clone();
        let usage = Arc::clone(&gateway.authenticator.usage);
        // Without work stealing a request costs less: it stays on its thread.
        let runtime = Runtime::new_no_steal(conf.threads, "data-plane");
        let front = Arc::new(Front::new(gateway, conf));
        let (shutdown, watch) = watch::channel(false);
        let mut open = JoinSet::new();
        for listener in listeners {
            let accept = Arc::clone(&front).accept(listener, watch.clone());
            open.spawn_on(accept, runtime.get_handle());
        }
        let accepting = runtime.get_handle().spawn(async move {
            while let Some(ended) = open.join_next().await {
                if let Ok(Err(error)) = ended {
                    tracing::error!(%error, "a public listener cannot be watched");
                }
            }
            front.close().await;
        });
        Self {
            runtime,
            accepting,
            shutdown,
            in_flight,
            usage,
        }
    }

    pub(super) fn usage(&self) -> Arc<KeyUsage> {
        Arc::clone(&self.usage)
    }

    /// Takes no new connections, then waits for the accepted requests until their
    /// deadline, or until a second signal.
    pub(super) async fn stop(self, shutdown: &Shutdown, stop: &mut Stop) {
        tokio::select! {
            () = tokio::time::sleep(shutdown.drain_delay) => {}
            () = stop.requested() => {}
        }
        self.shutdown.send_replace(true);
        let finish = async {
            let _ = self.accepting.await;
            // Look after a while: a request that has just come is not counted yet.
            loop {
                tokio::time::sleep(LOOK).await;
                if self.in_flight.count() == 0 {
                    break;
                }
            }
        };
        tokio::select! {
            () = finish => {}
            () = tokio::time::sleep(shutdown.deadline) => {
                tracing::warn!(requests = self.in_flight.count(), "cut at the deadline");
            }
            () = stop.requested() => {}
        }
        let runtime = self.runtime;
        let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(LEFTOVERS));
        if let Err(error) = ended.await {
            tracing::error!(%error, "the data plane did not end cleanly");
        }
    }
}
