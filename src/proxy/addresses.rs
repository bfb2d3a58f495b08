//! The addresses of an upstream: which there are, which are healthy, whose turn it is.

use std::collections::{BTreeSet, HashMap};
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

use crate::config::{self, HostRewrite};

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
    watching: OnceLock<AbortHandle>,
}

impl Addresses {
    /// Sets them up and resolves names once. A name that does not resolve is no error:
    /// it is tried again, and requests get 502 until then.
    pub(super) async fn new(settings: &config::Upstream, tls: &PeerOptions) -> Self {
        let balancer = balancer(settings, tls);
        if let Err(error) = balancer.update().await {
            tracing::warn!(upstream = %settings.name, %error, "no address yet");
        }
        Self {
            settings: settings.clone(),
            balancer: Arc::new(balancer),
            watching: OnceLock::new(),
        }
    }

    /// Whether these settings would make the same.
    pub(super) fn are_of(&self, settings: &config::Upstream) -> bool {
        let own = &self.settings;
        own.addresses == settings.addresses
            && own.tls == settings.tls
            && own.health == settings.health
            && own.host == settings.host
    }

    /// Starts the health checks and the resolving of names, once.
    pub(super) fn watch(&self) {
        self.watching.get_or_init(|| {
            let watching = watch(Arc::clone(&self.settings.name), Arc::clone(&self.balancer));
            tokio::spawn(watching).abort_handle()
        });
    }

    /// Whether there is another when one does not answer.
    pub(super) fn are_several(&self) -> bool {
        self.balancer.backends().get_backend().len() > 1
    }

    /// The next healthy one in turn.
    pub(super) fn next(&self) -> pingora::Result<Backend> {
        self.balancer.select(b"", MAX_TRIES).ok_or_else(|| {
            let why = "no healthy address of the upstream";
            Error::explain(ErrorType::ConnectError, why).into_up()
        })
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
