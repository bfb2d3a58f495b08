//! Certificates as SAML has them: they carry a key, and nobody vouches for them.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};
use openssl::asn1::Asn1Time;
use openssl::pkey::{HasPublic, Id, PKeyRef};
use openssl::x509::X509;
use sha2::{Digest as _, Sha256};

/// RSA keys with fewer bits can be broken (NIST SP 800-131A).
const LEAST_RSA_BITS: u32 = 2048;
/// As P-256 has.
const LEAST_EC_BITS: u32 = 256;

/// A certificate whose key is trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    /// When it expires. What it signs is taken still: whoever trusts a key says until when
    /// (SAML 2.0 metadata interoperability profile §2.6.1).
    pub not_after: DateTime<Utc>,
}

impl Certificate {
    /// All of a PEM file: at least one.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub(super) fn all(pem: &[u8]) -> Result<Vec<Self>, String> {
        match X509::stack_from_pem(pem) {
            Ok(all) if !all.is_empty() => all.iter().map(Self::of).collect(),
            _ => Err("no PEM certificate, or a malformed one".to_owned()),
        }
    }

    /// One as metadata has it.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, String> {
        let certificate = X509::from_der(der).map_err(|_| "a certificate is malformed")?;
        Self::of(&certificate)
    }

    fn of(certificate: &X509) -> Result<Self, String> {
        let unreadable = |_| "a certificate cannot be read";
        let key = certificate.public_key().map_err(unreadable)?;
        let least = match key.id() {
            Id::RSA => LEAST_RSA_BITS,
            Id::EC => LEAST_EC_BITS,
            _ => return Err("a certificate's key is neither of RSA nor of ECDSA".to_owned()),
        };
        if key.bits() < least {
            let bits = key.bits();
            return Err(format!(
                "a certificate's key has {bits} bits: {least} are the least that is safe"
            ));
        }
        let epoch = Asn1Time::from_unix(0).map_err(unreadable)?;
        let lasts = epoch.diff(certificate.not_after()).map_err(unreadable)?;
        let seconds = i64::from(lasts.days) * 86_400 + i64::from(lasts.secs);
        Ok(Self {
            der: certificate.to_der().map_err(unreadable)?,
            not_after: DateTime::from_timestamp(seconds, 0)
                .ok_or("a certificate lasts for ever")?,
        })
    }

    /// DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of it, in hexadecimal: what people compare.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = String::new();
        for byte in Sha256::digest(&self.der) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Whether it is of this key.
    #[must_use]
    pub fn is_of<T: HasPublic>(&self, key: &PKeyRef<T>) -> bool {
        let own = X509::from_der(&self.der).and_then(|own| own.public_key());
        own.is_ok_and(|own| own.public_eq(key))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint())
    }
}
