//! The addresses of an upstream: which there are, which are healthy, whose turn it is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::lb::discovery::ServiceDiscovery;
use pingora::lb::health_check::{HealthCheck, HttpHealthCheck, TcpHealthCheck};
use pingora::lb::selection::RoundRobin;
use pingora::lb::{Backend, Backends, LoadBalancer};
use pingora::services::background::BackgroundService as _;
use pingora::upstreams::peer::PeerOptions;
use pingora::{Error, ErrorType};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::back::Pool;
use super::circuit::Circuits;
use super::upstream::{UpstreamError, protocol_options};
use crate::clock::Clock;
use crate::config::{self, HostRewrite};
use crate::telemetry::UpstreamMetrics;

/// How often names are resolved anew.
const RESOLVE_EVERY: Duration = Duration::from_secs(10);
/// Addresses tried for a healthy one.
const MAX_TRIES: usize = 64;
/// Pause before checks that broke off are taken up again.
const RESTART: Duration = Duration::from_secs(1);

/// Kept across reloads for as long as nothing about it changes; what watches it ends
/// with it.
pub(super) struct Addresses {
    settings: config::Upstream,
    balancer: Arc<LoadBalancer<RoundRobin>>,
    circuits: Option<Arc<Circuits>>,
    /// The connections over HTTP/1 that wait for a request.
    pub(super) kept: Arc<Pool>,
    watching: OnceLock<AbortHandle>,
}

impl Addresses {
    /// Sets them up and resolves names once. A name that does not resolve is no error:
    /// it is tried again, and requests get 503 until then.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`] for a CA file that cannot be used.
    pub(super) async fn new(
        settings: &config::Upstream,
        clock: &Clock,
        metrics: &UpstreamMetrics,
    ) -> Result<Self, UpstreamError> {
        let balancer = balancer(settings, &protocol_options(settings)?);
        if let Err(error) = balancer.update().await {
            tracing::warn!(upstream = %settings.name, %error, "no address yet");
        }
        let circuits = settings.circuit.map(|circuit| {
            let name = Arc::clone(&settings.name);
            let open = metrics.circuit_open.clone();
            Arc::new(Circuits::new(name, circuit, clock.clone(), open))
        });
        Ok(Self {
            settings: settings.clone(),
            balancer: Arc::new(balancer),
            circuits,
            kept: Arc::default(),
            watching: OnceLock::new(),
        })
    }

    /// None, for an upstream that is reached otherwise.
    pub(super) fn none(settings: &config::Upstream) -> Self {
        Self {
            balancer: Arc::new(balancer(settings, &PeerOptions::new())),
            settings: settings.clone(),
            circuits: None,
            kept: Arc::default(),
            watching: OnceLock::new(),
        }
    }

    /// Whether these settings would make the same.
    pub(super) fn are_of(&self, settings: &config::Upstream) -> bool {
        let own = &self.settings;
        own.addresses == settings.addresses
            && own.tls == settings.tls
            && own.http2 == settings.http2
            && own.health == settings.health
            && own.circuit == settings.circuit
            && own.host == settings.host
    }

    /// Starts the health checks, the resolving of names and the sweeping of kept
    /// connections, once.
    pub(super) fn watch(&self) {
        self.watching.get_or_init(|| {
            let watching = watch(Arc::clone(&self.settings.name), Arc::clone(&self.balancer));
            let forgetting = forget_the_gone(Arc::clone(&self.balancer), self.circuits.clone());
            let sweeping = Arc::clone(&self.kept).sweep();
            tokio::spawn(async { tokio::join!(watching, forgetting, sweeping) }).abort_handle()
        });
    }

    /// Whether there is one besides these.
    pub(super) fn has_others_than(&self, tried: &[SocketAddr]) -> bool {
        let mut all = known(&self.balancer).into_iter();
        all.any(|address| !tried.contains(&address))
    }

    /// The next in turn that is healthy, not left alone, and none of these.
    pub(super) fn next(&self, unreachable: &[SocketAddr]) -> Option<Backend> {
        let admits = |address: &SocketAddr| {
            let circuits = self.circuits.as_ref();
            !unreachable.contains(address) && circuits.is_none_or(|it| it.admits(address))
        };
        let accept =
            |backend: &Backend, healthy| healthy && backend.addr.as_inet().is_none_or(admits);
        self.balancer.select_with(b"", MAX_TRIES, accept)
    }

    /// Seconds until one may be tried that is left alone now.
    pub(super) fn retry_after(&self) -> u64 {
        let circuits = self.circuits.as_ref();
        let wait = circuits.and_then(|it| it.wait(known(&self.balancer).into_iter()));
        wait.map_or(0, |wait| {
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
        })
        .max(1)
    }

    /// It gave no answer.
    pub(super) fn failed(&self, address: &SocketAddr) {
        if let Some(circuits) = &self.circuits {
            circuits.failed(address);
        }
    }

    /// It answered.
    pub(super) fn answered(&self, address: &SocketAddr) {
        if let Some(circuits) = &self.circuits {
            circuits.answered(address);
        }
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        if let Some(watching) = self.watching.get() {
            watching.abort();
        }
    }
}

/// Ends only where there is nothing to watch.
async fn watch(upstream: Arc<str>, balancer: Arc<LoadBalancer<RoundRobin>>) {
    let (_never, shutdown) = watch::channel(false);
    let mut task = JoinSet::new();
    loop {
        let (balancer, shutdown) = (Arc::clone(&balancer), shutdown.clone());
        task.spawn(async move { balancer.start(shutdown).await });
        match task.join_next().await {
            Some(Err(error)) => tracing::error!(%upstream, %error, "health checks broke off"),
            _ => return,
        }
        tokio::time::sleep(RESTART).await;
    }
}

/// Drops what is held against addresses that no name stands for any more.
async fn forget_the_gone(balancer: Arc<LoadBalancer<RoundRobin>>, circuits: Option<Arc<Circuits>>) {
    let Some(circuits) = circuits else {
        return;
    };
    loop {
        tokio::time::sleep(RESOLVE_EVERY).await;
        let known: HashSet<_> = known(&balancer).into_iter().collect();
        circuits.retain(|address| known.contains(address));
    }
}

fn known(balancer: &LoadBalancer<RoundRobin>) -> Vec<SocketAddr> {
    let backends = balancer.backends().get_backend();
    let addresses = backends.iter().filter_map(|backend| backend.addr.as_inet());
    addresses.copied().collect()
}

fn balancer(settings: &config::Upstream, tls: &PeerOptions) -> LoadBalancer<RoundRobin> {
    let resolver = Resolver {
        addresses: settings.addresses.iter().map(ToString::to_string).collect(),
    };
    let by_name = resolver.has_names();
    let several = by_name || settings.addresses.len() > 1;
    let mut balancer = LoadBalancer::from_backends(Backends::new(Box::new(resolver)));
    balancer.update_frequency = by_name.then_some(RESOLVE_EVERY);
    // With one address there is nothing to choose: a mere connection attempt could
    // only turn a slow answer into none.
    if several || settings.health.path.is_some() {
        balancer.health_check_frequency = Some(settings.health.interval);
        balancer.set_health_check(health_check(settings, tls));
    }
    balancer
}

fn health_check(
    settings: &config::Upstream,
    tls: &PeerOptions,
) -> Box<dyn HealthCheck + Send + Sync> {
    let health = &settings.health;
    let mut options = tls.clone();
    options.connection_timeout = Some(health.timeout);
    options.total_connection_timeout = Some(health.timeout);
    options.read_timeout = Some(health.timeout);
    let server_name = settings.tls.as_ref().map(|tls| tls.server_name.clone());
    let (healthy, unhealthy) = (health.healthy as usize, health.unhealthy as usize);
    let Some(path) = &health.path else {
        let mut check = match &server_name {
            Some(name) => TcpHealthCheck::new_tls(name),
            None => TcpHealthCheck::new(),
        };
        check.consecutive_success = healthy;
        check.consecutive_failure = unhealthy;
        check.peer_template.options = options;
        return check;
    };
    let host = match &settings.host {
        HostRewrite::Upstream(host) | HostRewrite::Literal(host) => host.to_string(),
        HostRewrite::Client => settings
            .addresses
            .first()
            .map_or_else(String::new, |first| first.host.clone()),
    };
    let mut check = HttpHealthCheck::new(&host, server_name.is_some());
    check.consecutive_success = healthy;
    check.consecutive_failure = unhealthy;
    check.peer_template.sni = server_name.unwrap_or_default();
    check.peer_template.options = options;
    if let Ok(mut request) = RequestHeader::build("GET", path.as_bytes(), Some(1))
        && request.insert_header("Host", &host).is_ok()
    {
        check.req = request;
    }
    Box::new(check)
}

/// Addresses as configured, names resolved by the system.
struct Resolver {
    addresses: Vec<String>,
}

impl Resolver {
    fn has_names(&self) -> bool {
        self.addresses
            .iter()
            .any(|address| address.parse::<std::net::SocketAddr>().is_err())
    }
}

#[async_trait]
impl ServiceDiscovery for Resolver {
    async fn discover(&self) -> pingora::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let mut backends = BTreeSet::new();
        for address in &self.addresses {
            match tokio::net::lookup_host(address).await {
                Ok(found) => {
                    for ip in found {
                        backends.insert(Backend::new(&ip.to_string())?);
                    }
                }
                Err(error) => tracing::warn!(address, %error, "name does not resolve"),
            }
        }
        if backends.is_empty() {
            // An error keeps what was known before.
            return Err(Error::explain(
                ErrorType::ConnectError,
                "no address resolves",
            ));
        }
        Ok((backends, HashMap::new()))
    }
}
