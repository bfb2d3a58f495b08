//! What is told of the audit trail.

use prometheus::{IntGauge, Registry};

use super::make::gauge;

/// Metrics of the audit trail.
#[derive(Debug)]
pub struct AuditMetrics {
    /// Bytes of events not yet in the database.
    pub spool_bytes: IntGauge,
    /// Events not yet in the database.
    pub spool_events: IntGauge,
    /// Age of the oldest of them, in milliseconds.
    pub lag_ms: IntGauge,
    /// Events written to the database by this process.
    pub sent: IntGauge,
    /// Events given up by `when_full: drop`.
    pub dropped: IntGauge,
    /// Requests refused because the spool was full.
    pub refused: IntGauge,
    /// Events that the database refused, put aside in a file.
    pub rejected: IntGauge,
    /// Spool files that ended in half a record or held an unreadable one.
    pub torn: IntGauge,
    /// Events that the disk did not take.
    pub failed: IntGauge,
}

impl AuditMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let gauge = |name: &str, help| gauge(registry, &format!("portcullis_audit_{name}"), help);
        Self {
            spool_bytes: gauge(
                "spool_bytes",
                "Bytes of audit events not yet in the database.",
            ),
            spool_events: gauge("spool_events", "Audit events not yet in the database."),
            lag_ms: gauge(
                "lag_milliseconds",
                "Age of the oldest audit event not yet in the database.",
            ),
            sent: gauge(
                "sent_events",
                "Audit events written to the database by this process.",
            ),
            dropped: gauge(
                "dropped_events",
                "Audit events given up because the spool was full and the policy is `drop`.",
            ),
            refused: gauge(
                "refused_requests",
                "Requests refused because the audit spool was full.",
            ),
            rejected: gauge(
                "rejected_events",
                "Audit events that the database refused, put aside in a file.",
            ),
            torn: gauge(
                "torn_files",
                "Spool files that ended in half a record or held an unreadable one.",
            ),
            failed: gauge("failed_events", "Audit events that the disk did not take."),
        }
    }
}
