//! Where requests go: upstreams with their addresses, time-outs and TLS.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use http::HeaderName;
use pingora::protocols::tls::CaType;
use pingora::tls::x509::X509;
use pingora::upstreams::peer::{HttpPeer, PeerOptions};

use super::addresses::Addresses;
use super::headers::PASSED;
use crate::config::{self, HostRewrite};
use crate::policy::{OwnedHeaders, RouteTimeouts, Template};

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
    /// Connections are shared among those who trust the same authorities.
    trust: u64,
    options: PeerOptions,
    addresses: Arc<Addresses>,
}

/// All backends, by name.
pub(super) struct Upstreams {
    by_name: HashMap<Arc<str>, Arc<Upstream>>,
    hasher: RandomState,
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
    ) -> Result<Self, UpstreamError> {
        let hasher = former.map_or_else(RandomState::new, |former| former.hasher.clone());
        let mut by_name = HashMap::new();
        for settings in settings {
            let former = former.and_then(|former| former.find(&settings.name));
            let kept = former.map(|former| &former.addresses);
            let kept = kept.filter(|addresses| addresses.are_of(settings));
            let upstream = Upstream::new(settings, kept.cloned(), &hasher).await?;
            by_name.insert(Arc::clone(&settings.name), Arc::new(upstream));
        }
        Ok(Self { by_name, hasher })
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
    async fn new(
        settings: &config::Upstream,
        addresses: Option<Arc<Addresses>>,
        hasher: &RandomState,
    ) -> Result<Self, UpstreamError> {
        let tls = tls_options(settings)?;
        let server_name = settings.tls.as_ref().map(|tls| tls.server_name.clone());
        let trusted = settings.tls.as_ref().and_then(|tls| tls.ca.as_ref());
        Ok(Self {
            host: settings.host.clone(),
            identity: settings.identity.clone(),
            passed: passed(settings),
            tls: settings.tls.is_some(),
            server_name: server_name.unwrap_or_default(),
            trust: trusted.map_or(0, |pem| hasher.hash_one(pem)),
            addresses: match addresses {
                Some(addresses) => addresses,
                None => Arc::new(Addresses::new(settings, &tls).await),
            },
            options: with_timeouts(tls, settings),
        })
    }

    pub(super) const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// Whether there is another address when one does not answer.
    pub(super) fn has_several_addresses(&self) -> bool {
        self.addresses.are_several()
    }

    /// An address to connect to: the next healthy one in turn.
    pub(super) fn peer(&self, timeouts: &RouteTimeouts) -> pingora::Result<Box<HttpPeer>> {
        let backend = self.addresses.next()?;
        let mut peer = HttpPeer::new(backend, self.tls, self.server_name.clone());
        // Without it a connection that was verified by an authority of former rules
        // could serve those who do not trust it.
        peer.group_key = self.trust;
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

fn tls_options(settings: &config::Upstream) -> Result<PeerOptions, UpstreamError> {
    let mut options = PeerOptions::new();
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
