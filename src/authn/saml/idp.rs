//! What is known of a provider: stated, or read from its metadata now and then.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::http;
use tokio::sync::Mutex;
use url::Url;

use crate::authn::fetch::Fetch;
use crate::authn::provider::ProviderError;
use crate::clock::Clock;
use crate::config::saml::{Certificate, Description, Idp, MetadataSource};

/// For so long metadata is used when it cannot be read anew.
const STALE: TimeDelta = TimeDelta::hours(24);
/// It is not read more often, however often it fails.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// As [`PAUSE`], for one of which nothing is known yet.
const SHORT_PAUSE: TimeDelta = TimeDelta::seconds(2);

/// What is known, and since when.
#[derive(Debug, Default)]
struct Known {
    read: Option<(Arc<Description>, DateTime<Utc>)>,
    tried_at: Option<DateTime<Utc>>,
    /// Why it could not be read, the last time.
    why: String,
}

/// A provider, as it is now.
#[derive(Debug)]
pub(super) struct Source {
    entity_id: String,
    settings: Idp,
    fetch: Fetch,
    clock: Clock,
    known: Mutex<Known>,
}

impl Source {
    pub(super) fn new(entity_id: String, settings: Idp, fetch: Fetch, clock: Clock) -> Self {
        Self {
            entity_id,
            settings,
            fetch,
            clock,
            known: Mutex::default(),
        }
    }

    pub(super) const fn fetch(&self) -> &Fetch {
        &self.fetch
    }

    /// What is true of it now.
    pub(super) async fn description(&self) -> Result<Arc<Description>, ProviderError> {
        let (from, refresh, pinned) = match &self.settings {
            Idp::Stated(stated) => return Ok(Arc::new(stated.clone())),
            Idp::Metadata {
                from,
                refresh,
                pinned,
            } => (from, refresh, pinned),
        };
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        let refresh = TimeDelta::from_std(*refresh).unwrap_or(STALE);
        let younger = |at: DateTime<Utc>, than| now - at < than;
        if let Some((description, at)) = &known.read
            && younger(*at, refresh)
            && let Ok(current) = current(description, now)
        {
            return Ok(current);
        }
        let pause = match known.read {
            Some(_) => PAUSE,
            None => SHORT_PAUSE,
        };
        if known.tried_at.is_none_or(|at| !younger(at, pause)) {
            known.tried_at = Some(now);
            match self.read(from, pinned).await {
                Ok(description) => known.read = Some((Arc::new(description), now)),
                Err(why) => {
                    tracing::warn!(
                        provider = self.entity_id,
                        why,
                        "its metadata cannot be read"
                    );
                    known.why = why;
                }
            }
        }
        match &known.read {
            Some((description, at)) if younger(*at, STALE) => current(description, now),
            _ => Err(ProviderError::Unavailable(format!(
                "its metadata cannot be read: {}",
                known.why
            ))),
        }
    }

    async fn read(
        &self,
        from: &MetadataSource,
        pinned: &[Certificate],
    ) -> Result<Description, String> {
        let bytes = match from {
            MetadataSource::File(path) => {
                let read = tokio::fs::read(path).await;
                read.map_err(|error| format!("{}: {error}", path.display()))?
            }
            MetadataSource::Url(url) => self.fetched(url).await?,
        };
        let mut description =
            Description::read(&bytes, &self.entity_id).map_err(|error| error.to_string())?;
        if !pinned.is_empty() {
            let certificates = &mut description.certificates;
            certificates.retain(|certificate| pinned.contains(certificate));
            if certificates.is_empty() {
                return Err("it names none of the certificates in `idp_certificate`".to_owned());
            }
        }
        Ok(description)
    }

    async fn fetched(&self, url: &Url) -> Result<Vec<u8>, String> {
        let request = http::Request::get(url.as_str())
            .header(
                http::header::ACCEPT,
                "application/samlmetadata+xml, application/xml",
            )
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        let sent = self.fetch.send(request).await;
        let answer = sent.map_err(|error| error.to_string())?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("it answers {}", answer.status()));
        }
        Ok(answer.into_body())
    }
}

/// Metadata says itself until when it is true.
fn current(
    description: &Arc<Description>,
    now: DateTime<Utc>,
) -> Result<Arc<Description>, ProviderError> {
    if description.valid_until.is_some_and(|until| until <= now) {
        let why = "its metadata is not valid any more (`validUntil`)";
        return Err(ProviderError::Unavailable(why.to_owned()));
    }
    Ok(Arc::clone(description))
}
