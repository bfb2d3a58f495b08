//! The services whose word is taken: those of the configuration, and those on record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use url::Url;

use super::{Refusal, SignIns};
use crate::authn::{Apart, Fetch, SamlSignIn, SignInProvider};
use crate::clock::Clock;
use crate::config::{self, Provider};
use crate::domain::Slug;
use crate::store::StoreError;

/// How often it is looked whether those on record have changed: what is looked at is in memory.
const ROUND: Duration = Duration::from_millis(200);

/// All of them, by name.
type All = BTreeMap<Slug, Arc<Known>>;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Providers {
    /// Where people are sent back to, and what asks; `None`: nobody is sent anywhere.
    from: Option<(Url, Fetch)>,
    clock: Clock,
    configured: Arc<[Provider]>,
    all: Arc<ArcSwap<All>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) settings: Provider,
    pub(super) service: SignInProvider,
}

impl Known {
    /// By SAML, if that is how it is spoken to.
    pub(super) fn saml(&self) -> Result<&SamlSignIn, Refusal> {
        match &self.service {
            SignInProvider::Saml(saml) => Ok(saml),
            _ => Err(Refusal::Wrong),
        }
    }
}

impl Providers {
    /// Those of a configuration; none without an address to send people back to.
    pub(super) fn new(settings: &config::SignIn, clock: &Clock) -> Self {
        let fetch = Fetch::new()
            .inspect_err(|error| tracing::error!(%error, "no provider can be asked"))
            .ok();
        let providers = Self {
            from: settings.public_url.clone().zip(fetch),
            clock: clock.clone(),
            configured: settings.providers.clone().into(),
            all: Arc::default(),
        };
        providers.with(&[]);
        providers
    }

    /// All of them as they are now.
    pub(super) fn all(&self) -> Guard<Arc<All>> {
        self.all.load()
    }

    /// From now on with these besides those of the configuration, which come first. What is known
    /// of one that stays as it was is kept.
    fn with(&self, stored: &[Provider]) {
        let Some((site, fetch)) = &self.from else {
            return;
        };
        let former = self.all();
        let mut all = All::new();
        for settings in self.configured.iter().chain(stored) {
            let name = &settings.name;
            if all.contains_key(name) {
                tracing::warn!(provider = %name, "the configuration has one of this name, too");
                continue;
            }
            let same = former.get(name).filter(|it| it.settings == *settings);
            let known = same.map_or_else(
                || {
                    let (fetch, clock) = (fetch.clone(), self.clock.clone());
                    let service = SignInProvider::new(&settings.kind, (site, name), fetch, clock);
                    let settings = settings.clone();
                    Arc::new(Known { settings, service })
                },
                Arc::clone,
            );
            all.insert(name.clone(), known);
        }
        self.all.store(Arc::new(all));
    }
}

impl SignIns {
    /// Follows those on record for as long as the gateway runs. Any change of one is a version of
    /// the policy.
    pub async fn follow_providers(self) {
        let mut rounds = tokio::time::interval(ROUND);
        let mut seen = None;
        loop {
            rounds.tick().await;
            let version = self.tables.current().version();
            if seen == Some(version) {
                continue;
            }
            match self.look_again().await {
                Ok(()) => seen = Some(version),
                Err(error) => tracing::warn!(%error, "providers on record cannot be read"),
            }
        }
    }

    async fn look_again(&self) -> Result<(), StoreError> {
        let stored = self.db.stored_providers().await?;
        let usable = stored.iter().filter_map(|it| {
            let usable = Apart::usable(it, &self.seal);
            usable
                .inspect_err(|why| tracing::error!(provider = it.name, why, "it is not used"))
                .ok()
        });
        self.providers.with(&usable.collect::<Vec<_>>());
        Ok(())
    }
}
