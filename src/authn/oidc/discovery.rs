//! What a provider says of itself: read, kept for a while, and read anew.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::IssuerUrl;
use url::Url;

use super::{Metadata, OidcSignIn, unavailable};
use crate::authn::fetch::Fetch;
use crate::authn::provider::ProviderError;
use crate::config::saml::Endpoint;

/// After so long a provider's document and keys are read anew.
pub(super) const FRESH: TimeDelta = TimeDelta::hours(1);
/// For so long they are used when it cannot be asked.
const STALE: TimeDelta = TimeDelta::hours(24);
/// It is not asked more often, whatever keys tokens name and however often it fails.
pub(super) const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// As [`PAUSE`], for one of which nothing is known yet.
const SHORT_PAUSE: TimeDelta = TimeDelta::seconds(2);

/// What is known of a provider.
#[derive(Debug, Default)]
pub(super) struct Known {
    metadata: Option<(Arc<Metadata>, DateTime<Utc>)>,
    /// When it was last asked, well or in vain.
    asked_at: Option<DateTime<Utc>>,
}

impl OidcSignIn {
    /// What the provider says of itself, at most so old. What is older serves while it cannot be
    /// asked.
    pub(super) async fn metadata(&self, fresh: TimeDelta) -> Result<Arc<Metadata>, ProviderError> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        let age = |at: DateTime<Utc>| now - at;
        if let Some((metadata, read_at)) = &known.metadata
            && (age(*read_at) < fresh || known.asked_at.is_some_and(|at| age(at) < PAUSE))
            && age(*read_at) < STALE
        {
            return Ok(Arc::clone(metadata));
        }
        if known.metadata.is_none() && known.asked_at.is_some_and(|at| age(at) < SHORT_PAUSE) {
            return Err(unavailable("it did not answer a moment ago"));
        }
        known.asked_at = Some(now);
        let read = discover(&self.settings.issuer, &self.fetch).await;
        match (read, &known.metadata) {
            (Ok(metadata), _) => {
                let metadata = Arc::new(metadata);
                known.metadata = Some((Arc::clone(&metadata), now));
                Ok(metadata)
            }
            (Err(error), Some((metadata, read_at))) if age(*read_at) < STALE => {
                tracing::warn!(%error, issuer = %self.settings.issuer, "a provider cannot be asked");
                Ok(Arc::clone(metadata))
            }
            (Err(error), _) => Err(error),
        }
    }
}

/// As written: a slash more or less is another issuer.
pub(super) async fn discover(issuer: &Url, fetch: &Fetch) -> Result<Metadata, ProviderError> {
    let issuer = issuer.as_str();
    let bare = issuer.strip_suffix('/').unwrap_or(issuer);
    let read = async |issuer: &str| {
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(unavailable)?;
        Metadata::discover_async(issuer, fetch)
            .await
            .map_err(unavailable)
    };
    let metadata = match read(bare).await {
        Err(_) if bare != issuer => read(issuer).await,
        read => read,
    }?;
    check_places(&metadata)?;
    Ok(metadata)
}

/// Whoever listens could be the provider where it is spoken to in cleartext.
fn check_places(metadata: &Metadata) -> Result<(), ProviderError> {
    let places = [
        Some(metadata.authorization_endpoint().as_str()),
        metadata.token_endpoint().map(|url| url.as_str()),
        metadata.userinfo_endpoint().map(|url| url.as_str()),
        Some(metadata.jwks_uri().as_str()),
    ];
    for place in places.into_iter().flatten() {
        Endpoint::address(place)
            .map_err(|wrong| unavailable(format!("`{place}` in its discovery document {wrong}")))?;
    }
    Ok(())
}
