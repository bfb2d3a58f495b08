//! Whose objects are, for whoever explains a decision outside of a gateway.

use std::sync::Arc;

use super::owners::MAX_STEPS;
use super::{Asker, Lineage, Unresolved};
use crate::cache::Owners;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{ResourceKey, Whose};
use crate::policy::{Ownership, RouteMap, Via, ViaBy};
use crate::proxy::rules::Rules;
use crate::proxy::upstream::UpstreamError;
use crate::telemetry::Metrics;

/// Finds owners as a gateway with these settings does.
pub struct OwnerSearch {
    rules: Rules,
    lineage: Lineage,
}

/// Whose an object is cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OwnersUnknown(#[from] Unresolved);

impl OwnerSearch {
    /// Takes the routes, the types and the upstreams out of the settings.
    ///
    /// # Errors
    ///
    /// If an upstream cannot be set up.
    pub async fn new(
        settings: &mut Settings,
        owners: Arc<Owners>,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, UpstreamError> {
        Ok(Self {
            rules: Rules::new(settings, None, clock, metrics).await?,
            lineage: Lineage::new(Arc::new(Asker::default()), owners),
        })
    }

    /// The routes.
    #[must_use]
    pub const fn routes(&self) -> &RouteMap {
        &self.rules.routes
    }

    /// Whether a backend has to be asked whose such an object is.
    #[must_use]
    pub fn asks(&self, object: &ResourceKey) -> bool {
        let mut kind = &object.kind;
        for _ in 0..MAX_STEPS {
            match self.rules.ownership(&object.upstream, kind) {
                Some(Ownership::Via(Via { parent, by })) => match by {
                    ViaBy::Asking(_) => return true,
                    ViaBy::Prefix(_) => kind = parent,
                },
                _ => return false,
            }
        }
        false
    }

    /// Whose these objects are, in their order.
    ///
    /// # Errors
    ///
    /// If the database or a backend does not tell.
    pub async fn find(&self, objects: &[ResourceKey]) -> Result<Vec<Whose>, OwnersUnknown> {
        Ok(self.lineage.find(&self.rules, objects).await?)
    }
}
