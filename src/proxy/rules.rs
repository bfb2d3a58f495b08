//! What a configuration says, ready for requests.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::config::Limits;
use crate::policy::{Dialect, Lookup, RouteMap};
use crate::telemetry::{Metrics, NO_ROUTE, RouteCounters};

/// The routes and all that is compiled with them; swapped whole.
pub struct Rules {
    pub(super) routes: RouteMap,
    pub(super) dialect: Dialect,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) limits: Limits,
    /// By index of the route; the last counts requests without a route.
    counters: Vec<Arc<RouteCounters>>,
}

impl Rules {
    /// The rules of a route map.
    #[must_use]
    pub fn new(
        routes: RouteMap,
        dialect: Dialect,
        trusted_proxies: Vec<IpNet>,
        limits: Limits,
        metrics: &Metrics,
    ) -> Self {
        let labels = routes.routes().iter().map(|route| &*route.label);
        let counters = labels
            .chain([NO_ROUTE])
            .map(|label| metrics.route(label))
            .collect();
        Self {
            routes,
            dialect,
            trusted_proxies,
            limits,
            counters,
        }
    }

    /// Whether what this peer says of others is believed.
    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }

    /// The counters of a looked-up route, or of requests without one.
    pub(super) fn counters(&self, lookup: &Lookup<'_>) -> Option<&Arc<RouteCounters>> {
        match lookup {
            Lookup::Found { index, .. } => self.counters.get(*index),
            _ => self.uncounted(),
        }
    }

    /// The counters of requests that met no route, or never got as far.
    pub(super) fn uncounted(&self) -> Option<&Arc<RouteCounters>> {
        self.counters.last()
    }
}
