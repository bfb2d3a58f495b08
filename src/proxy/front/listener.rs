//! An address with what is spoken there.

use std::net::TcpListener;
use std::sync::Arc;

use openssl::error::ErrorStack;

use super::tls::{Renewal, Tls};
use crate::config::{Listen, Serves};

/// Where clients come in.
#[derive(Debug)]
pub struct Listener {
    /// The open socket, not blocking.
    pub socket: TcpListener,
    /// What is spoken there.
    pub protocol: Arc<Protocol>,
}

/// What is spoken at an address.
#[derive(Debug)]
pub struct Protocol {
    /// Whether HTTP/2 is spoken besides HTTP/1.1.
    pub(super) http2: bool,
    /// Whether each connection begins with a PROXY header.
    pub(super) proxied: bool,
    pub(super) tls: Option<Arc<Tls>>,
    /// The port that all requests are sent to instead.
    pub(super) redirect: Option<u16>,
}

impl Protocol {
    /// As configured.
    ///
    /// # Errors
    ///
    /// If OpenSSL cannot use the certificates.
    pub fn new(listen: Listen) -> Result<Self, ErrorStack> {
        let Listen {
            http2,
            proxy_protocol: proxied,
            ..
        } = listen;
        let (tls, redirect) = match listen.serves {
            Serves::Plain => (None, None),
            Serves::Tls(settings) => (Some(Arc::new(Tls::new(settings, http2)?)), None),
            Serves::Redirect(port) => (None, Some(port)),
        };
        Ok(Self {
            http2,
            proxied,
            tls,
            redirect,
        })
    }

    /// The TLS that these settings ask for, ready to come into force; none without TLS.
    /// Nothing else about an address can change.
    ///
    /// # Errors
    ///
    /// If OpenSSL cannot use the certificates.
    pub fn renewal(&self, listen: &Listen) -> Result<Option<Renewal>, ErrorStack> {
        match (&self.tls, &listen.serves) {
            (Some(tls), Serves::Tls(settings)) => tls.renewal(settings.clone()).map(Some),
            _ => Ok(None),
        }
    }

    /// Its TLS, if that is spoken.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }
}
