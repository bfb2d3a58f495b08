//! Where requests go: upstreams with several addresses, health, time-outs and TLS.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderName;
use pingora::http::RequestHeader;
use pingora::lb::discovery::ServiceDiscovery;
use pingora::lb::health_check::{HealthCheck, HttpHealthCheck, TcpHealthCheck};
use pingora::lb::selection::RoundRobin;
use pingora::lb::{Backend, Backends, LoadBalancer};
use pingora::protocols::tls::CaType;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService as _;
use pingora::tls::x509::X509;
use pingora::upstreams::peer::{HttpPeer, PeerOptions};
use pingora::{Error, ErrorType};

use super::headers::PASSED;
use crate::config::{self, Health, HostRewrite};
use crate::policy::{OwnedHeaders, RouteTimeouts, Template};

/// How often names are resolved anew.
const RESOLVE_EVERY: Duration = Duration::from_secs(10);
/// Addresses tried for a healthy one.
const MAX_TRIES: usize = 64;

/// The CA bundle of an upstream cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("upstream `{upstream}`: its CA file holds no PEM certificate")]
pub struct UpstreamError {
    upstream: Arc<str>,
}

/// One backend, at one or more addresses.
pub(super) struct Upstream {
    pub(super) host: HostRewrite,
    pub(super) identity: Vec<(HeaderName, Template)>,
    /// Client fields that pass, sorted: an identity header may have the name of one.
    pub(super) passed: Vec<&'static str>,
    tls: bool,
    server_name: String,
    options: PeerOptions,
    balancer: Arc<LoadBalancer<RoundRobin>>,
}

/// All backends, by name.
pub struct Upstreams {
    by_name: HashMap<Arc<str>, Arc<Upstream>>,
}

impl Upstreams {
    /// Sets all of them up and resolves their names once.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`] for a CA file that cannot be used. A name that does not
    /// resolve is no error: it is tried again, and requests get 502 until then.
    pub async fn new<'s>(
        settings: impl IntoIterator<Item = &'s config::Upstream>,
    ) -> Result<Self, UpstreamError> {
        let mut by_name = HashMap::new();
        for settings in settings {
            let upstream = Arc::new(Upstream::new(settings)?);
            if let Err(error) = upstream.balancer.update().await {
                tracing::warn!(upstream = %settings.name, %error, "no address yet");
            }
            by_name.insert(Arc::clone(&settings.name), upstream);
        }
        Ok(Self { by_name })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.by_name.get(name)
    }

    /// Health checks and name resolution of all upstreams, until shutdown.
    pub async fn watch(&self, shutdown: ShutdownWatch) {
        let mut tasks = tokio::task::JoinSet::new();
        for upstream in self.by_name.values() {
            let balancer = Arc::clone(&upstream.balancer);
            let shutdown = shutdown.clone();
            tasks.spawn(async move { balancer.start(shutdown).await });
        }
        tasks.join_all().await;
    }
}

impl Upstream {
    fn new(settings: &config::Upstream) -> Result<Self, UpstreamError> {
        let options = options(settings)?;
        let server_name = settings.tls.as_ref().map(|tls| tls.server_name.clone());
        Ok(Self {
            host: settings.host.clone(),
            identity: settings.identity.clone(),
            passed: passed(settings),
            tls: settings.tls.is_some(),
            server_name: server_name.unwrap_or_default(),
            balancer: Arc::new(balancer(settings, &options)),
            options,
        })
    }

    pub(super) const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// Whether there is another address when one does not answer.
    pub(super) fn has_several_addresses(&self) -> bool {
        self.balancer.backends().get_backend().len() > 1
    }

    /// An address to connect to: the next healthy one in turn.
    pub(super) fn peer(&self, timeouts: &RouteTimeouts) -> pingora::Result<Box<HttpPeer>> {
        let Some(backend) = self.balancer.select(b"", MAX_TRIES) else {
            return Err(Error::explain(
                ErrorType::ConnectError,
                "no healthy address of the upstream",
            )
            .into_up());
        };
        let mut peer = HttpPeer::new(backend, self.tls, self.server_name.clone());
        peer.options = self.options.clone();
        let options = &mut peer.options;
        options.connection_timeout = timeouts.connect.or(options.connection_timeout);
        options.total_connection_timeout = timeouts.connect.or(options.total_connection_timeout);
        options.read_timeout = timeouts.read.or(options.read_timeout);
        options.write_timeout = timeouts.write.or(options.write_timeout);
        Ok(Box::new(peer))
    }
}

/// What clients may send, less what tells this backend who they are.
fn passed(settings: &config::Upstream) -> Vec<&'static str> {
    let identity = settings.identity.iter().map(|(name, _)| name.as_str());
    let owned = OwnedHeaders::new(identity);
    let passed = PASSED.iter().copied();
    passed.filter(|name| !owned.owns(name)).collect()
}

fn options(settings: &config::Upstream) -> Result<PeerOptions, UpstreamError> {
    let mut options = PeerOptions::new();
    options.connection_timeout = Some(settings.timeouts.connect);
    options.total_connection_timeout = Some(settings.timeouts.connect);
    options.read_timeout = Some(settings.timeouts.read);
    options.write_timeout = Some(settings.timeouts.write);
    options.idle_timeout = Some(settings.timeouts.idle);
    if let Some(tls) = &settings.tls {
        options.verify_cert = tls.verify;
        options.verify_hostname = tls.verify;
        if let Some(pem) = &tls.ca {
            options.ca = Some(Arc::new(authorities(&settings.name, pem)?));
        }
    }
    Ok(options)
}

fn authorities(upstream: &Arc<str>, pem: &[u8]) -> Result<CaType, UpstreamError> {
    match X509::stack_from_pem(pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates.into_boxed_slice()),
        _ => Err(UpstreamError {
            upstream: Arc::clone(upstream),
        }),
    }
}

fn balancer(settings: &config::Upstream, options: &PeerOptions) -> LoadBalancer<RoundRobin> {
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
        balancer.set_health_check(health_check(settings, &settings.health, options));
    }
    balancer
}

fn health_check(
    settings: &config::Upstream,
    health: &Health,
    options: &PeerOptions,
) -> Box<dyn HealthCheck + Send + Sync> {
    let mut options = options.clone();
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
