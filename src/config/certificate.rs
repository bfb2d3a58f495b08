//! Certificates and keys, as their files hold them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslContextBuilder, SslMethod};
use openssl::x509::X509;

/// Larger files hold something else.
const MAX_FILE: u64 = 1 << 20;
/// Rights of those who neither own the key nor are in its group.
const OTHERS: u32 = 0o007;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the certificate, then those that lead to its authority.
    pub certificate: PathBuf,
    /// PEM: the private key, not encrypted.
    pub key: PathBuf,
}

/// A certificate with the key that fits it.
#[derive(Clone)]
pub struct ServerCertificate {
    files: CertificateFiles,
    /// The certificate itself comes first.
    chain: Vec<X509>,
    key: PKey<Private>,
    names: Vec<String>,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    key_is_open: bool,
}

/// Who may have issued the certificates of clients.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// PEM.
    pub file: PathBuf,
    /// What it holds.
    pub certificates: Vec<X509>,
}

/// Which of two files is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The certificate's.
    Certificate,
    /// The key's.
    Key,
}

/// Why files are of no use.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct CertificateError {
    pub(super) part: Part,
    problem: String,
}

impl CertificateError {
    /// The file to blame.
    #[must_use]
    pub fn of<'a>(&self, files: &'a CertificateFiles) -> &'a Path {
        match self.part {
            Part::Certificate => &files.certificate,
            Part::Key => &files.key,
        }
    }
}

impl CertificateFiles {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them; no message names a path.
    pub fn load(&self) -> Result<ServerCertificate, Vec<CertificateError>> {
        let blame = |part| move |problem| CertificateError { part, problem };
        let chain = certificates(&self.certificate).map_err(blame(Part::Certificate));
        let key = private_key(&self.key).map_err(blame(Part::Key));
        let (chain, (key, key_is_open)) = match (chain, key) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
        };
        let fits = chain[0].public_key().is_ok_and(|own| own.public_eq(&key));
        if !fits {
            let problem = "the key does not fit the certificate".to_owned();
            return Err(vec![blame(Part::Key)(problem)]);
        }
        ServerCertificate::new(self.clone(), chain, key, key_is_open)
            .map_err(|problem| vec![blame(Part::Certificate)(problem)])
    }
}

impl ServerCertificate {
    fn new(
        files: CertificateFiles,
        chain: Vec<X509>,
        key: PKey<Private>,
        key_is_open: bool,
    ) -> Result<Self, String> {
        let certificate = Self {
            files,
            names: names(&chain[0]),
            not_before: time(chain[0].not_before())?,
            not_after: time(chain[0].not_after())?,
            chain,
            key,
            key_is_open,
        };
        // What OpenSSL thinks too weak shows here, not at the first handshake.
        SslContextBuilder::new(SslMethod::tls())
            .and_then(|mut context| certificate.install(&mut context))
            .map_err(|error| format!("cannot be used: {}", reason(&error)))?;
        Ok(certificate)
    }

    /// Where it came from.
    #[must_use]
    pub const fn files(&self) -> &CertificateFiles {
        &self.files
    }

    /// The DNS names in it, lower case; some may begin with `*.`.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// When it expires.
    #[must_use]
    pub const fn not_after(&self) -> DateTime<Utc> {
        self.not_after
    }

    /// Makes a server present it.
    ///
    /// # Errors
    ///
    /// If OpenSSL thinks it too weak.
    pub fn install(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        context.set_certificate(&self.chain[0])?;
        for issuer in &self.chain[1..] {
            context.add_extra_chain_cert(issuer.clone())?;
        }
        context.set_private_key(&self.key)?;
        context.check_private_key()
    }

    /// What an operator should know, though it can be served.
    #[must_use]
    pub fn warnings(&self, now: DateTime<Utc>) -> Vec<String> {
        let (certificate, key) = (self.files.certificate.display(), self.files.key.display());
        let told = [
            (self.not_after <= now)
                .then(|| format!("{certificate}: expired at {}", self.not_after)),
            (self.not_before > now)
                .then(|| format!("{certificate}: not valid before {}", self.not_before)),
            self.key_is_open
                .then(|| format!("{key}: the key is open to every user of the machine")),
        ];
        told.into_iter().flatten().collect()
    }
}

impl fmt::Debug for ServerCertificate {
    /// Nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate")
            .field("files", &self.files)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Authorities {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without its path.
    pub fn load(file: &Path) -> Result<Self, CertificateError> {
        let certificates = certificates(file).map_err(|problem| CertificateError {
            part: Part::Certificate,
            problem,
        })?;
        Ok(Self {
            file: file.to_owned(),
            certificates,
        })
    }
}

/// At least one.
fn certificates(path: &Path) -> Result<Vec<X509>, String> {
    let (pem, _) = read(path).map_err(|error| format!("cannot be read: {error}"))?;
    match X509::stack_from_pem(&pem) {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err("no PEM certificate in it".to_owned()),
        Err(error) => {
            let reason = reason(&error);
            Err(format!("a certificate in it is malformed: {reason}"))
        }
    }
}

/// The key, and whether every user of the machine may read it.
fn private_key(path: &Path) -> Result<(PKey<Private>, bool), String> {
    let (pem, mode) = read(path).map_err(|error| format!("cannot be read: {error}"))?;
    // With a passphrase at hand, an encrypted key fails; without, OpenSSL asks the terminal.
    let key = PKey::private_key_from_pem_passphrase(&pem, b"")
        .map_err(|_| "no PEM private key in it, or an encrypted one".to_owned())?;
    Ok((key, mode & OTHERS != 0))
}

/// The first cause, without places in OpenSSL's sources.
fn reason(error: &ErrorStack) -> String {
    let first = error
        .errors()
        .first()
        .and_then(openssl::error::Error::reason);
    first.unwrap_or("an unknown reason").to_owned()
}

/// A file's content and mode.
fn read(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut content = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut content)?;
    Ok((content, mode))
}

/// Names that no client can ask for are left out.
fn names(certificate: &X509) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let names = names.iter().flatten();
    names
        .filter_map(|name| name.dnsname())
        .map(str::to_ascii_lowercase)
        .collect()
}

fn time(told: &Asn1TimeRef) -> Result<DateTime<Utc>, String> {
    let since_epoch = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(told));
    let seconds = since_epoch
        .map(|it| i64::from(it.days) * 86_400 + i64::from(it.secs))
        .map_err(|error| format!("its time of validity is malformed: {}", reason(&error)))?;
    DateTime::from_timestamp(seconds, 0).ok_or_else(|| "its time of validity is absurd".to_owned())
}
