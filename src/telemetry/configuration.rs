//! Metrics of the configuration, named as Prometheus and its Alertmanager name theirs.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::make::{counters, gauge, register};

/// Which configuration is in force, and since when.
#[derive(Debug)]
pub struct ConfigMetrics {
    reloads: IntCounterVec,
    successful: IntGauge,
    success_at: IntGauge,
    restart_required: IntGaugeVec,
}

impl ConfigMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let restart_required = IntGaugeVec::new(
            Opts::new(
                "portcullis_config_restart_required",
                "Whether the key has changed in the file, which takes a restart or an upgrade.",
            ),
            &["key"],
        );
        let reloads = counters(
            registry,
            "portcullis_config_reloads_total",
            "Reloads of the configuration by result.",
            &["result"],
        );
        for result in ["success", "failed"] {
            reloads.with_label_values(&[result]);
        }
        Self {
            reloads,
            successful: gauge(
                registry,
                "portcullis_config_last_reload_successful",
                "Whether the last attempt to load the configuration succeeded.",
            ),
            success_at: gauge(
                registry,
                "portcullis_config_last_reload_success_timestamp_seconds",
                "When the configuration was last loaded with success.",
            ),
            restart_required: register(registry, restart_required.expect("a valid metric")),
        }
    }

    /// A configuration is in force since this Unix second.
    pub fn taken(&self, second: i64) {
        self.successful.set(1);
        self.success_at.set(second);
    }

    /// What the file says now is not in force.
    pub fn refused(&self) {
        self.successful.set(0);
    }

    /// Counts a reload that ended in `success` or `failed`; all else is told before.
    pub fn reloaded(&self, result: &str) {
        self.reloads.with_label_values(&[result]).inc();
    }

    /// Notes whether a key waits for a new process.
    pub fn restart_required(&self, key: &str, required: bool) {
        let gauge = self.restart_required.with_label_values(&[key]);
        gauge.set(required.into());
    }
}
