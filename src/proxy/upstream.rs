//! Where requests go: upstreams with their addresses, time-outs and TLS.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderName;
use pingora::connectors::TransportConnector;
use pingora::lb::Backend;
use pingora::protocols::tls::CaType;
use pingora::tls::x509::X509;
use pingora::upstreams::peer::{HttpPeer, Peer as _, PeerOptions};
use prometheus::IntCounter;

use super::addresses::Addresses;
use super::back::{Dial, Holder, Place};
use super::headers::PASSED;
use crate::clock::Clock;
use crate::config::{self, Assertion, HostRewrite};
use crate::policy::{OwnedHeaders, RouteTimeouts, Template};
use crate::telemetry::UpstreamMetrics;

/// Requests at once on an HTTP/2 connection; more open another.
const STREAMS: usize = 100;

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
    /// The signed word for who asks.
    pub(super) assertion: Option<Arc<Assertion>>,
    /// Client fields that pass, sorted: an identity header may have the name of one.
    pub(super) passed: Vec<&'static str>,
    /// Whether HTTP/2 is spoken, and nothing else.
    pub(super) http2: bool,
    /// Attempts beyond the first of a request.
    pub(super) retries: IntCounter,
    tls: bool,
    server_name: String,
    /// Connections are shared among those who trust the same authorities.
    trust: u64,
    options: PeerOptions,
    connector: Arc<TransportConnector>,
    pub(super) addresses: Arc<Addresses>,
    /// Path of a Unix socket that takes the place of addresses.
    socket: Option<String>,
}

/// Where an attempt goes.
pub(super) struct Way {
    pub(super) address: Option<SocketAddr>,
    /// As Pingora takes it.
    pub(super) peer: Box<HttpPeer>,
    /// How it comes to its connection, over HTTP/1.
    pub(super) dial: Option<Arc<Dial>>,
}

/// All backends, by name.
pub(super) struct Upstreams {
    by_name: HashMap<Arc<str>, Arc<Upstream>>,
    hasher: RandomState,
    /// It makes connections for all of them, and keeps none.
    connector: Arc<TransportConnector>,
}

impl Upstreams {
    /// Sets all of them up; what `former` ones know of their addresses is kept where
    /// nothing about these has changed.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`] for a CA file that cannot be used.
    pub(super) async fn new<'s>(
        settings: impl IntoIterator<Item = &'s config::Upstream>,
        former: Option<&Self>,
        clock: &Clock,
        metrics: &UpstreamMetrics,
    ) -> Result<Self, UpstreamError> {
        let hasher = former.map_or_else(RandomState::new, |former| former.hasher.clone());
        let connector = former.map_or_else(
            || Arc::new(TransportConnector::new(None)),
            |former| Arc::clone(&former.connector),
        );
        let mut by_name = HashMap::new();
        for settings in settings {
            let former = former.and_then(|former| former.find(&settings.name));
            let kept = former.map(|former| &former.addresses);
            let kept = kept.filter(|addresses| addresses.are_of(settings));
            let addresses = match kept {
                Some(addresses) => Arc::clone(addresses),
                None => Arc::new(Addresses::new(settings, clock, metrics).await?),
            };
            let retries = metrics.retries(&settings.name);
            let trust = settings.tls.as_ref().and_then(|tls| tls.ca.as_ref());
            let trust = trust.map_or(0, |pem| hasher.hash_one(pem));
            let connector = Arc::clone(&connector);
            let upstream = Upstream::new(settings, addresses, retries, trust, connector)?;
            by_name.insert(Arc::clone(&settings.name), Arc::new(upstream));
        }
        Ok(Self {
            by_name,
            hasher,
            connector,
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.by_name.get(name)
    }

    /// Starts health checks and name resolution. They end with the upstream.
    pub(super) fn watch(&self) {
        for upstream in self.by_name.values() {
            upstream.addresses.watch();
        }
    }

    /// Whether the name leads to the very same addresses in both.
    pub(super) fn agree_on(&self, other: &Self, name: &str) -> bool {
        let (own, other) = (self.find(name), other.find(name));
        own.zip(other)
            .is_some_and(|(own, other)| Arc::ptr_eq(&own.addresses, &other.addresses))
    }
}

impl Upstream {
    /// The fields that tell it who asks.
    pub(super) fn told(&self) -> impl Iterator<Item = HeaderName> {
        let identity = self.identity.iter().map(|(name, _)| name.clone());
        identity.chain(self.assertion.iter().map(|it| it.header.clone()))
    }

    fn new(
        settings: &config::Upstream,
        addresses: Arc<Addresses>,
        retries: IntCounter,
        trust: u64,
        connector: Arc<TransportConnector>,
    ) -> Result<Self, UpstreamError> {
        let tls = protocol_options(settings)?;
        let server_name = settings.tls.as_ref().map(|tls| tls.server_name.clone());
        Ok(Self {
            host: settings.host.clone(),
            identity: settings.identity.clone(),
            assertion: settings.assertion.clone(),
            passed: passed(settings),
            tls: settings.tls.is_some(),
            server_name: server_name.unwrap_or_default(),
            trust,
            connector,
            addresses,
            http2: settings.http2,
            retries,
            options: with_timeouts(tls, settings),
            socket: None,
        })
    }

    /// One that is behind a Unix socket, in cleartext.
    pub(super) fn at_socket(
        settings: &config::Upstream,
        socket: String,
        retries: IntCounter,
    ) -> Self {
        Self {
            host: settings.host.clone(),
            identity: Vec::new(),
            assertion: None,
            passed: passed(settings),
            tls: false,
            server_name: String::new(),
            trust: 0,
            connector: Arc::new(TransportConnector::new(None)),
            addresses: Arc::new(Addresses::none(settings)),
            http2: false,
            retries,
            options: with_timeouts(PeerOptions::new(), settings),
            socket: Some(socket),
        }
    }

    /// Whether the gateway itself is behind it.
    pub(super) const fn is_own(&self) -> bool {
        self.socket.is_some()
    }

    pub(super) const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The way to the next address in turn that may be tried and is none of these.
    pub(super) fn way(
        &self,
        timeouts: &RouteTimeouts,
        holder: Holder,
        unreachable: &[SocketAddr],
    ) -> Option<Way> {
        let mut peer = match &self.socket {
            Some(socket) => self.peer_at(socket).ok()?,
            None => self.peer_of(self.addresses.next(unreachable)?),
        };
        let options = &mut peer.options;
        options.connection_timeout = timeouts.connect.or(options.connection_timeout);
        options.total_connection_timeout = timeouts.connect.or(options.total_connection_timeout);
        options.read_timeout = timeouts.read.or(options.read_timeout);
        options.write_timeout = timeouts.write.or(options.write_timeout);
        let address = peer.address().as_inet().copied();
        let Some(address) = address.filter(|_| !self.http2) else {
            return Some(Way {
                address,
                peer,
                dial: None,
            });
        };
        let dial = Arc::new(self.dial(Place { address, holder }, *peer));
        Some(Way {
            address: Some(address),
            peer: Box::new(dial.peer()),
            dial: Some(dial),
        })
    }

    fn dial(&self, place: Place, peer: HttpPeer) -> Dial {
        let connector = Arc::clone(&self.connector);
        let pool = Arc::clone(&self.addresses.kept);
        let idle = peer.options.idle_timeout.unwrap_or_default();
        Dial::new(connector, pool, place, peer, idle)
    }

    fn peer_at(&self, socket: &str) -> pingora::Result<Box<HttpPeer>> {
        let mut peer = HttpPeer::new_uds(socket, false, String::new())?;
        peer.options = self.options.clone();
        Ok(Box::new(peer))
    }

    fn peer_of(&self, backend: Backend) -> Box<HttpPeer> {
        let mut peer = HttpPeer::new(backend, self.tls, self.server_name.clone());
        // Without it a connection that was verified by an authority of former rules
        // could serve those who do not trust it.
        peer.group_key = self.trust;
        peer.options = self.options.clone();
        Box::new(peer)
    }
}

/// What clients may send, less what tells this backend who they are.
fn passed(settings: &config::Upstream) -> Vec<&'static str> {
    let identity = settings.identity.iter().map(|(name, _)| name.as_str());
    let assertion = settings.assertion.as_ref().map(|it| it.header.as_str());
    let owned = OwnedHeaders::new(identity.chain(assertion));
    let passed = PASSED.iter().copied();
    passed.filter(|name| !owned.owns(name)).collect()
}

/// How a backend is spoken to, without time-outs.
pub(super) fn protocol_options(settings: &config::Upstream) -> Result<PeerOptions, UpstreamError> {
    let mut options = PeerOptions::new();
    if settings.http2 {
        options.set_http_version(2, 2);
        options.max_h2_streams = STREAMS;
    }
    if let Some(tls) = &settings.tls {
        options.verify_cert = tls.verify;
        options.verify_hostname = tls.verify;
        if let Some(pem) = &tls.ca {
            options.ca = Some(Arc::new(authorities(&settings.name, pem)?));
        }
    }
    Ok(options)
}

fn with_timeouts(mut options: PeerOptions, settings: &config::Upstream) -> PeerOptions {
    options.connection_timeout = Some(settings.timeouts.connect);
    options.total_connection_timeout = Some(settings.timeouts.connect);
    options.read_timeout = Some(settings.timeouts.read);
    options.write_timeout = Some(settings.timeouts.write);
    options.idle_timeout = Some(settings.timeouts.idle);
    options
}

fn authorities(upstream: &Arc<str>, pem: &[u8]) -> Result<CaType, UpstreamError> {
    match X509::stack_from_pem(pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates.into_boxed_slice()),
        _ => Err(UpstreamError {
            upstream: Arc::clone(upstream),
        }),
    }
}
