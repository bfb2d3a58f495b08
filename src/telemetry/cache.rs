//! What is counted of caches.

use prometheus::{IntCounter, IntCounterVec, Registry};

use super::make::counters;

/// Metrics of the caches.
#[derive(Debug)]
pub struct CacheMetrics(IntCounterVec);

impl CacheMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self(counters(
            registry,
            "portcullis_cache_lookups_total",
            "Look-ups in a cache by result.",
            &["cache", "result"],
        ))
    }

    /// The counters of hits and misses of a cache.
    #[must_use]
    pub fn of(&self, name: &str) -> (IntCounter, IntCounter) {
        let counter = |result| self.0.with_label_values(&[name, result]);
        (counter("hit"), counter("miss"))
    }
}
