//! Tells of a reload: in the log, in the metrics, in the audit trail.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Refused, Taken};
use crate::audit::Spool;
use crate::clock::Clock;
use crate::config::Digest;
use crate::domain::{Actor, AuditEvent, AuditResult, EventId, ResourceRef};
use crate::telemetry::Metrics;

/// Name of the audit event.
const EVENT: &str = "config.reloaded";

/// Tells of reloads.
pub(in crate::serve) struct Reporter {
    pub(in crate::serve) path: PathBuf,
    pub(in crate::serve) actor: Actor,
    pub(in crate::serve) spool: Spool,
    pub(in crate::serve) metrics: Arc<Metrics>,
    pub(in crate::serve) clock: Clock,
}

impl Reporter {
    /// The configuration that the process began with was taken.
    pub(in crate::serve) fn started(&self) {
        self.metrics.config.taken(self.clock.now().timestamp());
    }

    /// `digest` is that of the file, if it could be read.
    pub(super) fn tell(&self, digest: Option<Digest>, outcome: &Result<Taken, Refused>) {
        let mut details = Map::new();
        if let Some(digest) = digest {
            details.insert("sha256".to_owned(), digest.to_string().into());
        }
        let (result, reason) = match outcome {
            Ok(taken) => {
                self.took(taken, &mut details);
                (AuditResult::Success, None)
            }
            Err(refused) => (
                AuditResult::Failed,
                Some(self.refused(refused, &mut details)),
            ),
        };
        self.record(result, reason, details);
        self.metrics.config.reloaded(result.as_str());
    }

    fn took(&self, taken: &Taken, details: &mut Map<String, Value>) {
        let (file, keys) = (self.path.display(), &taken.needs_restart);
        self.metrics.config.restart_required(keys);
        self.started();
        if keys.is_empty() {
            tracing::info!(%file, "configuration reloaded");
        } else {
            let keys = keys.join(", ");
            tracing::warn!(
                %file, keys,
                "configuration reloaded, save for keys that take a restart or an upgrade"
            );
            details.insert("restart_required".to_owned(), keys.into());
        }
    }

    /// Says why, and returns it as a word.
    fn refused(&self, refused: &Refused, details: &mut Map<String, Value>) -> &'static str {
        self.metrics.config.refused();
        let file = self.path.display();
        tracing::error!(
            %file, diagnostics = %refused,
            "configuration not reloaded: what was in force stays in force"
        );
        match refused {
            Refused::Invalid(diagnostics) => {
                details.insert("mistakes".to_owned(), diagnostics.len().into());
                "config_invalid"
            }
            Refused::Upstream(_) | Refused::Tls(_) => "config_invalid",
            Refused::Database(_) => "truth_unavailable",
            Refused::Broken(_) => "internal_error",
        }
    }

    fn record(&self, result: AuditResult, reason: Option<&str>, details: Map<String, Value>) {
        let now = self.clock.now();
        let event = AuditEvent {
            id: EventId::generate(now, &mut rand::rng()),
            occurred_at: now,
            event: EVENT.into(),
            result,
            reason: reason.map(str::to_owned),
            tenant: None,
            project: None,
            actor: self.actor.clone(),
            credential_id: None,
            ip: None,
            user_agent: None,
            resource: Some(ResourceRef {
                kind: "config".into(),
                id: self.path.display().to_string(),
            }),
            method: None,
            route: None,
            status: None,
            latency: None,
            request_id: None,
            details,
        };
        match self.spool.reserve() {
            // A disk that fails is logged and counted where it failed.
            Ok(slot) => drop(slot.commit(&event)),
            Err(full) => tracing::error!(error = %full, "the reload is not in the audit trail"),
        }
    }
}
