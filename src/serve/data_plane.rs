//! The data plane: Pingora on threads of its own.

use std::sync::Arc;
use std::time::Duration;

use pingora::server::configuration::ServerConf;
use pingora::time::fast_timeout::set_fast_timeout_to_tokio_threshold;
use pingora_runtime::Runtime;
use prometheus::IntGauge;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::stop::Stop;
use crate::authn::Usage;
use crate::config::{Settings, Shutdown};
use crate::proxy::{Front, Gateway, InFlight, Listener};

/// Idle HTTP/2 connections kept to all upstreams together, a worker.
const UPSTREAM_POOL: usize = 512;
/// Longest time-out that Pingora keeps itself: it forgets none before its time, though the
/// wait is long over, so memory would grow with the time-outs of the configuration.
const LONGEST_KEPT: Duration = Duration::from_secs(2);
/// How often the end of the last request is looked for while stopping.
const LOOK: Duration = Duration::from_millis(10);
/// What tasks without a request get to end in.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// Serves requests until it is stopped.
pub(super) struct DataPlane {
    runtime: Runtime,
    front: Arc<Front>,
    accepting: JoinHandle<()>,
    /// No connections are accepted any more, and those there are end with their next
    /// answer.
    shutdown: watch::Sender<bool>,
    /// Connections that wait for a request are closed.
    hang_up: watch::Sender<bool>,
    in_flight: InFlight,
    connections: IntGauge,
    usage: Arc<Usage>,
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
        set_fast_timeout_to_tokio_threshold(Some(LONGEST_KEPT));
        let conf = Arc::new(ServerConf {
            threads: workers(settings),
            upstream_keepalive_pool_size: UPSTREAM_POOL,
            ..ServerConf::default()
        });
        let in_flight = gateway.in_flight.clone();
        let usage = Arc::clone(&gateway.authenticator.usage);
        // Without work stealing a request costs less: it stays on its thread.
        let runtime = Runtime::new_no_steal(conf.threads, "data-plane");
        let connections = gateway.metrics.transport.connections.clone();
        let (hang_up, patience) = watch::channel(false);
        let front = Arc::new(Front::new(gateway, conf, patience));
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
        });
        Self {
            runtime,
            front,
            accepting,
            shutdown,
            hang_up,
            in_flight,
            connections,
            usage,
        }
    }

    pub(super) fn usage(&self) -> Arc<Usage> {
        Arc::clone(&self.usage)
    }

    /// Takes no new connections, then waits for the accepted requests until their
    /// deadline, or until a second signal.
    pub(super) async fn stop(self, shutdown: &Shutdown, stop: &mut Stop) {
        tokio::select! {
            () = tokio::time::sleep(shutdown.drain_delay) => {}
            () = stop.requested() => {}
        }
        self.close_doors().await;
        self.drain(shutdown.deadline, stop).await;
    }

    /// Takes no new connections. Returns when the socket is closed here.
    pub(super) async fn close_doors(&self) {
        self.shutdown.send_replace(true);
        while !self.accepting.is_finished() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for clients to leave: each is asked to by its next answer. One that has
    /// nothing to ask gets half of the deadline, and may use it for a last request.
    pub(super) async fn see_off(self, deadline: Duration, stop: &mut Stop) {
        let patience = deadline / 2;
        let all_gone = async {
            while self.connections.get() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = all_gone => {}
            () = tokio::time::sleep(patience) => {}
            () = stop.requested() => {}
        }
        self.drain(deadline.saturating_sub(patience), stop).await;
    }

    /// Waits for the accepted requests.
    async fn drain(self, deadline: Duration, stop: &mut Stop) {
        self.hang_up.send_replace(true);
        self.front.close().await;
        let finish = async {
            // Look after a while: a request that has just come is not counted yet.
            loop {
                tokio::time::sleep(LOOK).await;
                if self.in_flight.with_websockets() == 0 {
                    break;
                }
            }
        };
        tokio::select! {
            () = finish => {}
            () = tokio::time::sleep(deadline) => {
                let requests = self.in_flight.with_websockets();
                tracing::warn!(requests, "cut at the deadline");
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
