//! API keys in memory.

use std::sync::Arc;

use super::credentials::{CredentialCache, Entry};
use crate::domain::{ApiKey, Catalogue, CredentialId, KeyId, Rates};
use crate::policy::{CredentialLimits, KeyTerms};

/// The keys lately asked for.
pub type KeyCache = CredentialCache<KeyId, CachedKey>;
/// What the database said of a key id.
pub type KeyEntry = Entry<CachedKey>;

/// A key, with its limits ready for a decision.
#[derive(Debug)]
pub struct CachedKey {
    /// As stored.
    pub key: ApiKey,
    /// What it narrows.
    pub limits: Arc<CredentialLimits>,
}

impl CachedKey {
    /// Compiles the limits of a key.
    #[must_use]
    pub fn new(key: ApiKey, catalogue: &Catalogue) -> Self {
        let permissions = key.permissions.as_ref().map(|patterns| {
            // A pattern that no longer means anything grants nothing.
            catalogue.expand(patterns.iter().map(String::as_str)).0
        });
        let limits = Arc::new(CredentialLimits {
            id: Some(CredentialId::from(&key.id)),
            permissions,
            projects: key.projects.clone(),
            sign_in: None,
            key: Some(Arc::new(KeyTerms {
                made: key.created_at,
                approved_for: key.approved_for.clone(),
                rate: key.rate.map(Rates::of_key),
            })),
            scopes: None,
        });
        Self { key, limits }
    }
}
