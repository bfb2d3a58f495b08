//! Metrics of what comes before HTTP.

use chrono::{DateTime, Utc};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::make::{counters, gauge, gauges};

/// Metrics of connections and their certificates.
#[derive(Debug)]
pub struct TransportMetrics {
    /// Open connections of clients.
    pub connections: IntGauge,
    shed: IntCounterVec,
    ended: IntCounterVec,
    failures: IntCounterVec,
    expiry: IntGaugeVec,
    reloads: IntCounterVec,
}

impl TransportMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            connections: gauge(
                registry,
                "portcullis_connections",
                "Open connections of clients.",
            ),
            shed: counters(
                registry,
                "portcullis_connections_shed_total",
                "Connections turned away by the limit that was reached.",
                &["limit"],
            ),
            ended: counters(
                registry,
                "portcullis_connections_ended_total",
                "Connections ended for what their client did, by reason.",
                &["reason"],
            ),
            failures: counters(
                registry,
                "portcullis_connections_failed_total",
                "Connections that ended before a request could come, by reason.",
                &["reason"],
            ),
            expiry: gauges(
                registry,
                "portcullis_tls_certificate_expiry_timestamp_seconds",
                "When a certificate expires, in seconds since 1970.",
                &["name"],
            ),
            reloads: counters(
                registry,
                "portcullis_tls_reloads_total",
                "Times that changed certificates were read anew, by result.",
                &["result"],
            ),
        }
    }

    /// The counter of connections that ended for this reason before a request could come.
    #[must_use]
    pub fn failed(&self, reason: &str) -> IntCounter {
        self.failures.with_label_values(&[reason])
    }

    /// The counter of connections turned away by a limit.
    #[must_use]
    pub fn shed(&self, limit: &str) -> IntCounter {
        self.shed.with_label_values(&[limit])
    }

    /// The counter of connections ended for what their client did.
    #[must_use]
    pub fn ended(&self, reason: &str) -> IntCounter {
        self.ended.with_label_values(&[reason])
    }

    /// When the certificates in these files expire; there are no others.
    pub fn tell_expiries(&self, expiries: impl Iterator<Item = (String, DateTime<Utc>)>) {
        self.expiry.reset();
        for (file, expiry) in expiries {
            let gauge = self.expiry.with_label_values(&[&file]);
            gauge.set(expiry.timestamp());
        }
    }

    /// The counter of certificates read anew, by `success` or `failed`.
    #[must_use]
    pub fn reload(&self, result: &str) -> IntCounter {
        self.reloads.with_label_values(&[result])
    }
}
