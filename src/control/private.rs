//! The private listener: `/livez`, `/readyz`, `/metrics`.

use std::io;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, serve as serve_axum};
use tokio::net::TcpListener;

use super::Health;
use crate::audit::{AuditStats, Spool};
use crate::clock::Clock;
use crate::telemetry::Metrics;

/// What the endpoints tell of.
#[derive(Debug, Clone)]
struct Told {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    spool: Spool,
    clock: Clock,
}

/// Serves the private endpoints until `closed`; what was begun is answered.
///
/// # Errors
///
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    spool: Spool,
    clock: Clock,
    closed: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(self::metrics))
        .with_state(Told {
            health,
            metrics,
            spool,
            clock,
        });
    serve_axum(listener, router)
        .with_graceful_shutdown(closed)
        .await
}

/// The process answers: that is all.
async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(told): State<Told>) -> impl IntoResponse {
    let missing = told.health.missing();
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::json!({ "ready": missing.is_empty(), "missing": missing });
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body}\n"),
    )
}

async fn metrics(State(told): State<Told>) -> impl IntoResponse {
    update(&told.metrics, &told.spool.stats(&told.clock));
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        told.metrics.render(),
    )
}

/// Brings the gauges of the audit trail up to this moment.
fn update(metrics: &Metrics, stats: &AuditStats) {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let audit = &metrics.audit;
    audit.spool_bytes.set(whole(stats.depth_bytes));
    audit.spool_events.set(whole(stats.depth_events));
    let lag = u64::try_from(stats.oldest_unsent.as_millis()).unwrap_or(u64::MAX);
    audit.lag_ms.set(whole(lag));
    audit.sent.set(whole(stats.sent));
    audit.dropped.set(whole(stats.dropped));
    audit.refused.set(whole(stats.refused));
    audit.rejected.set(whole(stats.rejected));
    audit.torn.set(whole(stats.torn));
    audit.failed.set(whole(stats.failed));
}
