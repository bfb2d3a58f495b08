//! Where requests go: upstreams with several addresses, health, time-outs and TLS.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::lb::discovery::ServiceDiscovery;
use pingora::lb::health_check::{HealthCheck, HttpHealthCheck, TcpHealthCheck};
use pingora::lb::selection::RoundRobin;
use pingora::lb::{Backend, Backends, LoadBalancer};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService as _;
use pingora::tls::x509::X509;
use pingora::upstreams::peer::{HttpPeer, PeerOptions};
use pingora::{Error, ErrorType};

use crate::config::{HealthSettings, HostSetting, UpstreamSettings};
use crate::policy::RouteTimeouts;

/// How often names are resolved anew.
const RESOLVE_EVERY: Duration = Duration::from_secs(10);
/// Addresses tried for a healthy one.
const MAX_TRIES: usize = 64;

/// An upstream cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The CA file cannot be read.
    #[error("upstream `{upstream}`: cannot read {path}: {source}")]
    CaUnreadable {
        /// Which upstream.
        upstream: String,
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The CA file holds no certificate.
    #[error("upstream `{upstream}`: {path} holds no PEM certificate")]
    CaEmpty {
        /// Which upstream.
        upstream: String,
        /// Which file.
        path: String,
    },
}

/// Which Host a backend is sent.
#[derive(Debug)]
pub(super) enum HostRule {
    /// The client's.
    Client,
    /// This one.
    Literal(String),
}

/// One backend, at one or more addresses.
pub(super) struct Upstream {
    pub(super) host: HostRule,
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
    pub async fn new(
        settings: impl IntoIterator<Item = (Arc<str>, UpstreamSettings)>,
    ) -> Result<Self, UpstreamError> {
        let mut by_name = HashMap::new();
        for (name, settings) in settings {
            let upstream = Arc::new(Upstream::new(&name, &settings)?);
            if let Err(error) = upstream.balancer.update().await {
                tracing::warn!(upstream = %name, %error, "no address yet");
            }
            by_name.insert(name, upstream);
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
    fn new(name: &str, settings: &UpstreamSettings) -> Result<Self, UpstreamError> {
        let tls = settings.tls.is_some();
        let options = options(name, settings)?;
        let balancer = Arc::new(balancer(settings, &options));
        Ok(Self {
            host: match &settings.host {
                HostSetting::Client => HostRule::Client,
                HostSetting::Upstream => HostRule::Literal(settings.authority.clone()),
                HostSetting::Literal(host) => HostRule::Literal(host.clone()),
            },
            tls,
            server_name: settings
                .tls
                .as_ref()
                .map_or_else(String::new, |tls| tls.server_name.clone()),
            options,
            balancer,
        })
    }

    pub(super) const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
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

fn options(name: &str, settings: &UpstreamSettings) -> Result<PeerOptions, UpstreamError> {
    let mut options = PeerOptions::new();
    options.connection_timeout = Some(settings.timeouts.connect);
    options.total_connection_timeout = Some(settings.timeouts.connect);
    options.read_timeout = Some(settings.timeouts.read);
    options.write_timeout = Some(settings.timeouts.write);
    options.idle_timeout = Some(settings.timeouts.idle);
    if let Some(tls) = &settings.tls {
        options.verify_cert = tls.verify;
        options.verify_hostname = tls.verify;
        if let Some(path) = &tls.ca_file {
            options.ca = Some(Arc::new(authorities(name, path)?.into()));
        }
    }
    Ok(options)
}

fn authorities(upstream: &str, path: &std::path::Path) -> Result<Vec<X509>, UpstreamError> {
    let shown = path.display().to_string();
    let pem = std::fs::read(path).map_err(|source| UpstreamError::CaUnreadable {
        upstream: upstream.to_owned(),
        path: shown.clone(),
        source,
    })?;
    match X509::stack_from_pem(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(UpstreamError::CaEmpty {
            upstream: upstream.to_owned(),
            path: shown,
        }),
    }
}

fn balancer(settings: &UpstreamSettings, options: &PeerOptions) -> LoadBalancer<RoundRobin> {
    let resolver = Resolver {
        addresses: settings.addresses.clone(),
    };
    let by_name = resolver.has_names();
    let mut balancer = LoadBalancer::from_backends(Backends::new(Box::new(resolver)));
    balancer.update_frequency = by_name.then_some(RESOLVE_EVERY);
    // With one address there is nothing to choose: a check could only turn a slow
    // answer into none. It is made where it was asked for.
    let health = settings.health.clone().or_else(|| {
        (settings.addresses.len() > 1 || by_name).then(HealthSettings::default)
    });
    if let Some(health) = health {
        balancer.health_check_frequency = Some(health.interval);
        balancer.set_health_check(health_check(settings, &health, options));
    }
    balancer
}

fn health_check(
    settings: &UpstreamSettings,
    health: &HealthSettings,
    options: &PeerOptions,
) -> Box<dyn HealthCheck + Send + Sync> {
    let options = PeerOptions {
        connection_timeout: Some(health.timeout),
        total_connection_timeout: Some(health.timeout),
        read_timeout: Some(health.timeout),
        ..options.clone()
    };
    let server_name = settings.tls.as_ref().map(|tls| tls.server_name.clone());
    let Some(path) = &health.path else {
        let mut check = match &server_name {
            Some(name) => TcpHealthCheck::new_tls(name),
            None => TcpHealthCheck::new(),
        };
        check.consecutive_success = health.healthy;
        check.consecutive_failure = health.unhealthy;
        check.peer_template.options = options;
        return check;
    };
    let mut check = HttpHealthCheck::new(&settings.authority, server_name.is_some());
    check.consecutive_success = health.healthy;
    check.consecutive_failure = health.unhealthy;
    check.peer_template.sni = server_name.unwrap_or_default();
    check.peer_template.options = options;
    if let Ok(mut request) = RequestHeader::build("GET", path.as_bytes(), Some(1))
        && request.insert_header("Host", &settings.authority).is_ok()
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
            return Err(Error::explain(ErrorType::ConnectError, "no address resolves"));
        }
        Ok((backends, HashMap::new()))
    }
}
