//! Tracing and metrics.
//!
//! Label values are bounded: routes come from the route map, never from a path.

mod audit;
mod cache;
mod configuration;
mod logging;
mod make;
mod rate;
mod requests;
mod sign_in;
mod transport;
mod upstreams;

use prometheus::{Encoder, Registry, TextEncoder};

pub use self::audit::AuditMetrics;
pub use self::cache::CacheMetrics;
pub use self::configuration::ConfigMetrics;
pub use self::logging::{LogFormat, LogLevel, init_logging};
pub use self::rate::RateMetrics;
pub use self::requests::{NO_ROUTE, Outcome, RequestMetrics, RouteCounters};
pub use self::sign_in::{SignInCertificate, SignInMetrics};
pub use self::transport::TransportMetrics;
pub use self::upstreams::UpstreamMetrics;

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// What comes before HTTP.
    pub transport: TransportMetrics,
    /// Of signing in.
    pub sign_in: SignInMetrics,
    /// Requests.
    pub requests: RequestMetrics,
    /// The backends.
    pub upstreams: UpstreamMetrics,
    /// The caches.
    pub caches: CacheMetrics,
    /// The rate limits.
    pub rate: RateMetrics,
    /// The audit trail.
    pub audit: AuditMetrics,
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
        let build = make::counters(
            &registry,
            "portcullis_build_info",
            "Always 1; the version is a label.",
            &["version"],
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
        Self {
            transport: TransportMetrics::new(&registry),
            sign_in: SignInMetrics::new(&registry),
            requests: RequestMetrics::new(&registry),
            upstreams: UpstreamMetrics::new(&registry),
            caches: CacheMetrics::new(&registry),
            rate: RateMetrics::new(&registry),
            audit: AuditMetrics::new(&registry),
            config: ConfigMetrics::new(&registry),
            registry,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_render_with_their_labels() {
        let metrics = Metrics::new();
        metrics.requests.route("GET /x").count(Outcome::Denied);
        let text = metrics.render();
        assert!(text.contains(r#"portcullis_requests_total{outcome="denied",route="GET /x"} 1"#));
        assert!(text.contains("portcullis_build_info{version="));
    }
}
