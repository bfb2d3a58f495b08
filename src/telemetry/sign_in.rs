//! Metrics of signing in.

use chrono::{DateTime, Utc};
use prometheus::{IntCounterVec, IntGaugeVec, Registry};

use super::make::{counters, gauges};

/// Metrics of the services that sign people in.
#[derive(Debug)]
pub struct SignInMetrics {
    expiry: IntGaugeVec,
    broken_glass: IntCounterVec,
}

/// A certificate that messages are signed or encrypted with.
#[derive(Clone, Debug)]
pub struct SignInCertificate {
    /// Of which provider.
    pub provider: String,
    /// Whose it is.
    pub is_theirs: bool,
    /// SHA-256 of it.
    pub fingerprint: String,
    /// When it expires.
    pub at: DateTime<Utc>,
}

impl SignInMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            expiry: gauges(
                registry,
                "portcullis_saml_certificate_expiry_timestamp_seconds",
                "When a certificate of SAML expires, in seconds since 1970.",
                &["provider", "owner", "sha256"],
            ),
            broken_glass: counters(
                registry,
                "portcullis_break_glass_sign_ins_total",
                "Sign-ins past a tenant's own providers, by who may break the glass.",
                &["tenant"],
            ),
        }
    }

    /// Somebody has come in to this tenant without the word of its providers.
    pub fn count_broken_glass(&self, tenant: &str) {
        self.broken_glass.with_label_values(&[tenant]).inc();
    }

    /// When these certificates expire; there are no others.
    pub fn tell_expiries(&self, certificates: &[SignInCertificate]) {
        self.expiry.reset();
        for each in certificates {
            let owner = if each.is_theirs {
                "provider"
            } else {
                "gateway"
            };
            let labels = [&*each.provider, owner, &each.fingerprint];
            self.expiry
                .with_label_values(&labels)
                .set(each.at.timestamp());
        }
    }
}
