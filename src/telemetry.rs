//! Tracing and metrics.
//!
//! Label values are bounded: routes come from the route map, never from a path.

mod configuration;
mod logging;
mod transport;
mod upstreams;

use std::sync::Arc;

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

pub use self::configuration::ConfigMetrics;
pub use self::logging::{LogFormat, LogLevel, init_logging};
pub use self::transport::TransportMetrics;
pub use self::upstreams::UpstreamMetrics;

/// Label of requests that met no route.
pub const NO_ROUTE: &str = "none";

/// Buckets of the decision, in seconds: around a microsecond.
const DECISION: [f64; 8] = [1e-6, 2e-6, 5e-6, 1e-5, 5e-5, 1e-3, 1e-2, 1e-1];
/// Buckets of the backend's answer, in seconds.
const UPSTREAM: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

/// How a request ended, as counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Permitted, and the backend answered below 400.
    Success,
    /// Refused.
    Denied,
    /// Permitted, but it failed.
    Failed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Success, Self::Denied, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// Counters of one route, resolved once so that a request takes no lock to count.
#[derive(Debug)]
pub struct RouteCounters([IntCounter; 3]);

impl RouteCounters {
    /// Counts a request.
    pub fn count(&self, outcome: Outcome) {
        self.0[outcome as usize].inc();
    }
}

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
    fn new(registry: &Registry) -> Self {
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

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    key_lookups: IntCounterVec,
    /// Of the rate limits.
    pub rate: RateMetrics,
    shed: IntCounterVec,
    /// What comes before HTTP.
    pub transport: TransportMetrics,
    /// Of the backends.
    pub upstreams: UpstreamMetrics,
    /// Time to decide, credential look-up included.
    pub decision_seconds: Histogram,
    /// Time from forwarding to the backend's answer.
    pub upstream_seconds: Histogram,
    /// Requests being served.
    pub in_flight: IntGauge,
    /// Open connections of clients.
    pub connections: IntGauge,
    /// Bytes of audit events not yet in the database.
    pub spool_bytes: IntGauge,
    /// Audit events not yet in the database.
    pub spool_events: IntGauge,
    /// Age of the oldest audit event not yet in the database, in milliseconds.
    pub audit_lag_ms: IntGauge,
    /// Audit events written to the database by this process.
    pub audit_sent: IntGauge,
    /// Audit events given up by `when_full: drop`.
    pub audit_dropped: IntGauge,
    /// Requests refused because the spool was full.
    pub audit_refused: IntGauge,
    /// Audit events that the database refused, put aside in a file.
    pub audit_rejected: IntGauge,
    /// Spool files that ended in half a record or held an unreadable one.
    pub audit_torn: IntGauge,
    /// Audit events that the disk did not take.
    pub audit_failed: IntGauge,
    /// Reloads of the configuration.
    pub config: ConfigMetrics,
}

impl Metrics {
    /// Fresh metrics in a registry of their own.
    ///
    /// # Panics
    ///
    /// Never: all names are distinct and valid, which every start proves.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let build = counters(
            &registry,
            "portcullis_build_info",
            "Always 1; the version is a label.",
            &["version"],
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
        Self {
            requests: counters(
                &registry,
                "portcullis_requests_total",
                "Requests by route and outcome.",
                &["route", "outcome"],
            ),
            key_lookups: counters(
                &registry,
                "portcullis_cache_lookups_total",
                "Look-ups in a cache by result.",
                &["cache", "result"],
            ),
            rate: RateMetrics::new(&registry),
            shed: counters(
                &registry,
                "portcullis_connections_shed_total",
                "Connections turned away by the limit that was reached.",
                &["limit"],
            ),
            transport: TransportMetrics::new(&registry),
            upstreams: UpstreamMetrics::new(&registry),
            decision_seconds: histogram(
                &registry,
                "portcullis_decision_seconds",
                "Time to authenticate and decide.",
                &DECISION,
            ),
            upstream_seconds: histogram(
                &registry,
                "portcullis_upstream_seconds",
                "Time from forwarding to the first byte of the backend's answer.",
                &UPSTREAM,
            ),
            in_flight: gauge(
                &registry,
                "portcullis_requests_in_flight",
                "Requests being served.",
            ),
            connections: gauge(
                &registry,
                "portcullis_connections",
                "Open connections of clients.",
            ),
            spool_bytes: gauge(
                &registry,
                "portcullis_audit_spool_bytes",
                "Bytes of audit events not yet in the database.",
            ),
            spool_events: gauge(
                &registry,
                "portcullis_audit_spool_events",
                "Audit events not yet in the database.",
            ),
            audit_lag_ms: gauge(
                &registry,
                "portcullis_audit_lag_milliseconds",
                "Age of the oldest audit event not yet in the database.",
            ),
            audit_sent: gauge(
                &registry,
                "portcullis_audit_sent_events",
                "Audit events written to the database by this process.",
            ),
            audit_dropped: gauge(
                &registry,
                "portcullis_audit_dropped_events",
                "Audit events given up because the spool was full and the policy is `drop`.",
            ),
            audit_refused: gauge(
                &registry,
                "portcullis_audit_refused_requests",
                "Requests refused because the audit spool was full.",
            ),
            audit_rejected: gauge(
                &registry,
                "portcullis_audit_rejected_events",
                "Audit events that the database refused, put aside in a file.",
            ),
            audit_torn: gauge(
                &registry,
                "portcullis_audit_torn_files",
                "Spool files that ended in half a record or held an unreadable one.",
            ),
            audit_failed: gauge(
                &registry,
                "portcullis_audit_failed_events",
                "Audit events that the disk did not take.",
            ),
            config: ConfigMetrics::new(&registry),
            registry,
        }
    }

    /// The counters of a route.
    #[must_use]
    pub fn route(&self, label: &str) -> Arc<RouteCounters> {
        Arc::new(RouteCounters(Outcome::ALL.map(|outcome| {
            self.requests.with_label_values(&[label, outcome.as_str()])
        })))
    }

    /// The counter of connections turned away by a limit.
    #[must_use]
    pub fn shed(&self, limit: &str) -> IntCounter {
        self.shed.with_label_values(&[limit])
    }

    /// The counters of hits and misses of a cache.
    #[must_use]
    pub fn cache(&self, name: &str) -> (IntCounter, IntCounter) {
        let counter = |result| self.key_lookups.with_label_values(&[name, result]);
        (counter("hit"), counter("miss"))
    }

    /// All metrics in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be rendered");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn register<M: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: M) -> M {
    registry
        .register(Box::new(metric.clone()))
        .expect("metric names are distinct");
    metric
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let made = IntCounterVec::new(Opts::new(name, help), labels);
    register(registry, made.expect("a valid metric"))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    let made = IntGaugeVec::new(Opts::new(name, help), labels);
    register(registry, made.expect("a valid metric"))
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    register(
        registry,
        IntCounter::new(name, help).expect("a valid metric"),
    )
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    register(registry, IntGauge::new(name, help).expect("a valid metric"))
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    register(
        registry,
        Histogram::with_opts(options).expect("a valid metric"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_render_with_their_labels() {
        let metrics = Metrics::new();
        metrics.route("GET /x").count(Outcome::Denied);
        let text = metrics.render();
        assert!(text.contains(r#"portcullis_requests_total{outcome="denied",route="GET /x"} 1"#));
        assert!(text.contains("portcullis_build_info{version="));
    }
}
