//! What is counted of requests.

use std::sync::Arc;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};

use super::make::{counters, gauge, histogram};

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

/// Metrics of the requests.
#[derive(Debug)]
pub struct RequestMetrics {
    ended: IntCounterVec,
    /// Being served.
    pub in_flight: IntGauge,
    /// Those that became a `WebSocket`, and are open.
    pub websockets: IntGauge,
    /// Time to decide, credential look-up included.
    pub decision_seconds: Histogram,
    /// Time from forwarding to the backend's answer.
    pub upstream_seconds: Histogram,
}

impl RequestMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            ended: counters(
                registry,
                "portcullis_requests_total",
                "Requests by route and outcome.",
                &["route", "outcome"],
            ),
            in_flight: gauge(
                registry,
                "portcullis_requests_in_flight",
                "Requests being served.",
            ),
            websockets: gauge(registry, "portcullis_websockets", "Open WebSockets."),
            decision_seconds: histogram(
                registry,
                "portcullis_decision_seconds",
                "Time to authenticate and decide.",
                &DECISION,
            ),
            upstream_seconds: histogram(
                registry,
                "portcullis_upstream_seconds",
                "Time from forwarding to the first byte of the backend's answer.",
                &UPSTREAM,
            ),
        }
    }

    /// The counters of a route.
    #[must_use]
    pub fn route(&self, label: &str) -> Arc<RouteCounters> {
        Arc::new(RouteCounters(Outcome::ALL.map(|outcome| {
            self.ended.with_label_values(&[label, outcome.as_str()])
        })))
    }
}
