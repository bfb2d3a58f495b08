//! What is counted of rate limits.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

use super::make::{counter, counters, gauge};

/// Metrics of the rate limits.
#[derive(Debug)]
pub struct RateMetrics {
    limited: IntCounterVec,
    /// Counters forgotten before they were unused, for lack of room.
    pub displaced: IntCounter,
    /// Questions to the shared counters that Redis did not answer.
    pub fallbacks: IntCounter,
    /// Whether Redis counts.
    pub redis_up: IntGauge,
}

impl RateMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            limited: counters(
                registry,
                "portcullis_rate_limited_total",
                "Requests refused by a rate limit.",
                &["limit"],
            ),
            displaced: counter(
                registry,
                "portcullis_rate_counters_displaced_total",
                "Rate counters forgotten before they were unused, for lack of room.",
            ),
            fallbacks: counter(
                registry,
                "portcullis_rate_fallbacks_total",
                "Questions to the shared rate counters that Redis did not answer.",
            ),
            redis_up: gauge(
                registry,
                "portcullis_rate_redis_up",
                "Whether rate limits are counted in Redis.",
            ),
        }
    }

    /// The counter of what a rate limit refuses.
    #[must_use]
    pub fn limited(&self, limit: &str) -> IntCounter {
        self.limited.with_label_values(&[limit])
    }
}
