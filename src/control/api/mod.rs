//! The administration API, under `/.portcullis/api/v1`.
//!
//! It authenticates nobody and looks at no route's permission: the data plane has, by
//! `config/presets/portcullis.yaml`, before a request comes here, and tells who asks and where
//! the right holds. Handlers take these as types: a [`Caller`](caller::Caller), and
//! [`InTenant`](scope::InTenant), [`InProject`](scope::InProject) or
//! [`OnPlatform`](scope::OnPlatform), which cannot be had otherwise.
//!
//! What is added here are rules that need more than one request: nobody gives away more than
//! they hold ([`authority`]), what was read is what is changed ([`etag`]), what was asked twice
//! is done once ([`once`]). The database is asked in the name of the caller, so that it refuses
//! what a mistake here would let through.
//!
//! One endpoint a file in [`endpoints`]: what it takes, what it answers, the handler, and its
//! place in the document.

mod authority;
mod body;
mod caller;
mod document;
mod endpoints;
mod etag;
mod once;
mod page;
mod path;
mod problem;
mod query;
mod router;
mod scim;
mod scope;
mod strict;
mod text;
mod work;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::authn::Seal;
use crate::cache::{KeyCache, RoleTables};
use crate::clock::Clock;
use crate::config;
use crate::domain::Pepper;
use crate::store::Db;

pub use document::document;
pub use router::router;

/// What the endpoints work with.
#[derive(Clone, Debug)]
pub struct Api {
    /// The truth.
    pub db: Db,
    /// Who may do what, as the data plane sees it.
    pub tables: Arc<RoleTables>,
    /// The keys that were just used.
    pub keys: Arc<KeyCache>,
    /// Under which secrets of keys are hashed.
    pub pepper: Pepper,
    /// Time.
    pub clock: Clock,
    /// What access tokens are given for.
    pub oauth2: Option<Arc<config::OAuth2>>,
    /// Changes take turns. The database would see to that, but those that wait there have a
    /// connection each, and whose turn it is may need another.
    pub turn: Arc<Mutex<()>>,
    /// Tenants whose directory says who their people are.
    pub directories: Arc<[config::Directory]>,
    /// What sign-in providers are put on record with.
    pub providers: ProviderDesk,
}

/// See [`Api::providers`].
#[derive(Clone, Debug)]
pub struct ProviderDesk {
    /// What their secrets are sealed with.
    pub seal: Seal,
    /// Those of the configuration.
    pub configured: Arc<[config::Provider]>,
    /// Whether people sign in here, and can be sent somewhere else for that.
    pub is_open: bool,
}

impl ProviderDesk {
    /// That of an installation.
    #[must_use]
    pub fn new(settings: Option<&config::SignIn>, pepper: &Pepper) -> Self {
        let keys = settings.map_or(&[][..], |it| &it.secrets.keys);
        let configured = settings.map_or(&[][..], |it| &it.providers);
        Self {
            seal: Seal::new(keys, pepper),
            configured: configured.into(),
            is_open: settings.is_some_and(|it| it.public_url.is_some()),
        }
    }
}
