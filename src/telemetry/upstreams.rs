//! What is counted of backends.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::make::{counters, register};

/// Metrics of the backends.
#[derive(Debug)]
pub struct UpstreamMetrics {
    /// 1 for each address that is left alone.
    pub circuit_open: IntGaugeVec,
    retries: IntCounterVec,
}

impl UpstreamMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let open = IntGaugeVec::new(
            Opts::new(
                "portcullis_upstream_circuit_open",
                "1 for each address that is left alone because it gave no answers.",
            ),
            &["upstream", "address"],
        );
        Self {
            circuit_open: register(registry, open.expect("a valid metric")),
            retries: counters(
                registry,
                "portcullis_upstream_retries_total",
                "Attempts to reach an upstream beyond the first of a request.",
                &["upstream"],
            ),
        }
    }

    /// The counter of attempts beyond the first of a request.
    #[must_use]
    pub fn retries(&self, upstream: &str) -> IntCounter {
        self.retries.with_label_values(&[upstream])
    }
}
