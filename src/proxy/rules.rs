//! What a configuration says, ready for requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ipnet::IpNet;
use tokio::sync::watch;

use super::upstream::{UpstreamError, Upstreams};
use crate::clock::Clock;
use crate::config::{Limits, Provision, Settings};
use crate::domain::Rates;
use crate::policy::{Dialect, Lookup, Ownership, ResourceType, RouteMap};
use crate::telemetry::{Metrics, NO_ROUTE, RouteCounters};

/// The rules in force, to be swapped by a reload. A request takes them once.
#[derive(Clone)]
pub struct LiveRules(Arc<Live>);

struct Live {
    rules: ArcSwap<Rules>,
    swaps: watch::Sender<()>,
}

impl LiveRules {
    /// Begins with these.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self(Arc::new(Live {
            rules: ArcSwap::from_pointee(rules),
            swaps: watch::Sender::new(()),
        }))
    }

    /// Those in force now.
    #[must_use]
    pub fn load_full(&self) -> Arc<Rules> {
        self.0.rules.load_full()
    }

    /// The same, for a glance.
    pub(super) fn load(&self) -> Guard<Arc<Rules>> {
        self.0.rules.load()
    }

    /// From here on these are in force, and whoever waits hears of it.
    pub fn store(&self, rules: Rules) {
        self.0.rules.store(Arc::new(rules));
        self.0.swaps.send_replace(());
    }

    /// Tells of every swap from here on.
    pub(super) fn swaps(&self) -> watch::Receiver<()> {
        self.0.swaps.subscribe()
    }
}

/// The routes and all that is compiled with them; swapped whole.
pub struct Rules {
    pub(super) routes: RouteMap,
    pub(super) dialect: Dialect,
    pub(super) trusted_proxies: Vec<IpNet>,
    /// Who may ask for decisions.
    pub(super) askers: Vec<IpNet>,
    pub(super) upstreams: Upstreams,
    pub(super) provisions: Vec<Provision>,
    /// How often anything may be asked.
    pub(super) rate: Rates,
    pub(super) limits: Limits,
    /// Whether people sign in here.
    pub(super) sign_in: bool,
    /// How owners are found, by upstream and type; others are on record.
    ownership: HashMap<(Arc<str>, Arc<str>), Ownership>,
    /// By index of the route; the last counts requests without a route.
    counters: Vec<Arc<RouteCounters>>,
}

impl Rules {
    /// Takes the rules out of the settings. Upstreams whose addresses are those of
    /// `former` rules keep what is known of their health.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`] for a CA file that cannot be used.
    pub async fn new(
        settings: &mut Settings,
        former: Option<&Self>,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, UpstreamError> {
        let routes = std::mem::take(&mut settings.routes);
        let labels = routes.routes().iter().map(|route| &*route.label);
        let counters = labels
            .chain([NO_ROUTE])
            .map(|label| metrics.requests.route(label))
            .collect();
        let former = former.map(|former| &former.upstreams);
        Ok(Self {
            upstreams: Upstreams::new(
                settings.upstreams.values(),
                former,
                clock,
                &metrics.upstreams,
            )
            .await?,
            routes,
            dialect: settings.errors,
            trusted_proxies: std::mem::take(&mut settings.trusted_proxies),
            askers: std::mem::take(&mut settings.askers),
            provisions: std::mem::take(&mut settings.provisions),
            rate: std::mem::take(&mut settings.rate),
            limits: settings.limits,
            sign_in: settings.sign_in.is_some(),
            ownership: ownership(std::mem::take(&mut settings.resource_types)),
            counters,
        })
    }

    /// Starts the health checks of the upstreams, for as long as these rules are used.
    pub fn watch_upstreams(&self) {
        self.upstreams.watch();
    }

    /// Whether this peer may ask for decisions.
    pub(super) fn may_ask(&self, peer: IpAddr) -> bool {
        self.askers.iter().any(|net| net.contains(&peer))
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

    /// How the owner of an object of this type is found, where it is not on record.
    pub(super) fn ownership(&self, upstream: &Arc<str>, kind: &Arc<str>) -> Option<&Ownership> {
        self.ownership
            .get(&(Arc::clone(upstream), Arc::clone(kind)))
    }

    /// Whether both prepare projects alike in the same backends.
    pub(super) fn provisions_like(&self, other: &Self) -> bool {
        self.provisions == other.provisions
            && self.provisions.iter().all(|provision| {
                self.upstreams
                    .agree_on(&other.upstreams, &provision.upstream)
            })
    }
}

fn ownership(types: Vec<ResourceType>) -> HashMap<(Arc<str>, Arc<str>), Ownership> {
    let types = types.into_iter();
    types
        .map(|declared| ((declared.upstream, declared.kind), declared.ownership))
        .collect()
}
