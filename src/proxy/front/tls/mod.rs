//! TLS towards clients.

mod client;
mod context;
mod watch;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use openssl::error::ErrorStack;
use openssl::ssl::SslAcceptor;
use sha2::{Digest as _, Sha256};

pub(in crate::proxy) use self::client::ClientCertificate;
pub use self::watch::CertificateWatch;
use crate::config::{Authorities, CertificateError, ListenerTls, ServerCertificate};

/// TLS of an address; what is in force is swapped whole when its files change.
pub struct Tls {
    http2: bool,
    in_force: ArcSwap<InForce>,
}

struct InForce {
    settings: ListenerTls,
    acceptor: SslAcceptor,
}

/// What is ready to come into force.
pub struct Renewal {
    tls: Arc<Tls>,
    new: InForce,
}

impl Renewal {
    /// From here on it holds. Open connections keep what they began with.
    pub fn take_force(self) {
        self.tls.in_force.store(Arc::new(self.new));
    }
}

/// A file that has become unusable: what it held before stays in force.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {error}")]
struct Unusable {
    file: String,
    error: CertificateError,
}

impl Tls {
    /// TLS as configured.
    ///
    /// # Errors
    ///
    /// If OpenSSL cannot use what the files hold.
    pub fn new(settings: ListenerTls, http2: bool) -> Result<Self, ErrorStack> {
        let acceptor = context::acceptor(&settings, http2)?;
        Ok(Self {
            http2,
            in_force: ArcSwap::from_pointee(InForce { settings, acceptor }),
        })
    }

    /// What would be in force with these settings.
    pub(super) fn renewal(self: &Arc<Self>, settings: ListenerTls) -> Result<Renewal, ErrorStack> {
        let acceptor = context::acceptor(&settings, self.http2)?;
        Ok(Renewal {
            tls: Arc::clone(self),
            new: InForce { settings, acceptor },
        })
    }

    /// For a handshake that begins now.
    pub(super) fn acceptor(&self) -> SslAcceptor {
        self.in_force.load().acceptor.clone()
    }

    /// Path and expiry of each certificate.
    fn expiries(&self) -> Vec<(String, DateTime<Utc>)> {
        let in_force = self.in_force.load();
        let certificates = in_force.settings.certificates.iter();
        certificates
            .map(|it| (shown(&it.files().certificate), it.not_after()))
            .collect()
    }

    /// What an operator should know of the certificates in force.
    fn warnings(&self, now: DateTime<Utc>) -> Vec<String> {
        let in_force = self.in_force.load();
        let certificates = in_force.settings.certificates.iter();
        certificates.flat_map(|it| it.warnings(now)).collect()
    }

    /// Reads all files anew.
    fn reload(self: &Arc<Self>) -> Result<Vec<Unusable>, ErrorStack> {
        let mut unusable = Vec::new();
        let mut settings = self.in_force.load().settings.clone();
        for certificate in &mut settings.certificates {
            let files = certificate.files();
            match files.load() {
                Ok(new) => *certificate = new,
                Err(errors) => {
                    let of = |error: CertificateError| Unusable::new(error.of(files), error);
                    unusable.extend(errors.into_iter().map(of));
                }
            }
        }
        if let Some(client) = &mut settings.client_certificates {
            match Authorities::load(&client.authorities.file) {
                Ok(new) => client.authorities = new,
                Err(error) => unusable.push(Unusable::new(&client.authorities.file, error)),
            }
        }
        self.renewal(settings)?.take_force();
        Ok(unusable)
    }

    /// Tells whether any file has changed, without keeping a key.
    fn digest(&self) -> [u8; 32] {
        let in_force = self.in_force.load();
        let settings = &in_force.settings;
        let certificates = settings.certificates.iter();
        let mut paths: Vec<&Path> = certificates
            .map(ServerCertificate::files)
            .flat_map(|files| [&*files.certificate, &*files.key])
            .collect();
        if let Some(client) = &settings.client_certificates {
            paths.push(&client.authorities.file);
        }
        let mut digest = Sha256::new();
        for path in paths {
            let content = std::fs::read(path).map(Sha256::digest);
            digest.update(content.unwrap_or_default());
        }
        digest.finalize().into()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Unusable {
    fn new(file: &Path, error: CertificateError) -> Self {
        Self {
            file: shown(file),
            error,
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
