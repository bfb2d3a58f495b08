//! Providers are asked again what they say of whoever has a session.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::task::JoinHandle;

use super::SignIns;
use super::by_provider::wanted;
use super::providers::Known;
use crate::authn::{KeptTokens, ProviderError};
use crate::domain::Slug;
use crate::store::{Author, DueRecheck, GrantedBy, StoreError};

/// How often it is looked whose time it is.
const ROUND: Duration = Duration::from_secs(5);
/// How soon one is asked for again of which nothing could be heard.
const RETRY: TimeDelta = TimeDelta::seconds(30);
/// For how many times as long as a provider is asked again its word is good.
const GOOD_FOR: i32 = 4;

/// For what tokens are sealed.
pub(super) fn purpose(provider: &Slug, subject: &str) -> String {
    format!("tokens of {provider} for {subject}")
}

/// For how long what a provider has said is good, if it is to be asked again.
pub(super) fn good_for(known: &Known) -> Option<TimeDelta> {
    Some(every(known)? * GOOD_FOR)
}

pub(super) fn every(known: &Known) -> Option<TimeDelta> {
    TimeDelta::from_std(known.settings.recheck?).ok()
}

impl SignIns {
    /// Asks for as long as the gateway runs; each provider by itself, for one may be slow.
    pub async fn recheck(self, author: impl Fn() -> Author + Send + 'static) {
        let mut rounds = tokio::time::interval(ROUND);
        let mut under_way: HashMap<Slug, JoinHandle<()>> = HashMap::new();
        loop {
            rounds.tick().await;
            under_way.retain(|_, task| !task.is_finished());
            let all = Arc::clone(&self.providers.all());
            for (name, known) in &*all {
                if known.settings.recheck.is_none() || under_way.contains_key(name) {
                    continue;
                }
                let (sign_ins, known, mut author) = (self.clone(), Arc::clone(known), author());
                let task = tokio::spawn(async move {
                    if let Err(error) = sign_ins.recheck_with(&mut author, &known).await {
                        let provider = &known.settings.name;
                        tracing::warn!(%provider, %error, "sessions were not checked again");
                    }
                });
                under_way.insert(name.clone(), task);
            }
        }
    }

    /// All whose time it is, until one cannot be asked for: then nor can the others.
    async fn recheck_with(&self, author: &mut Author, known: &Known) -> Result<(), StoreError> {
        let Some(every) = every(known) else {
            return Ok(());
        };
        let name = &known.settings.name;
        let since = self.clock.now() - every * GOOD_FOR;
        self.db.end_unchecked(author, name, since).await?;
        loop {
            let due = self.db.take_due_rechecks(name, self.clock.now(), RETRY);
            let due = due.await?;
            if due.is_empty() {
                return Ok(());
            }
            for due in due {
                if !self.recheck_one(author, (known, every), due).await? {
                    return Ok(());
                }
            }
        }
    }

    /// False if the provider cannot be asked.
    async fn recheck_one(
        &self,
        author: &mut Author,
        (known, every): (&Known, TimeDelta),
        due: DueRecheck,
    ) -> Result<bool, StoreError> {
        let name = &known.settings.name;
        let Some(kept) = self.kept(name, &due) else {
            let because = "sso_sealed";
            self.db.end_unvouched(author, (&due, name), because).await?;
            return Ok(true);
        };
        match known.service.ask_again(&kept, &due.subject).await {
            Ok(asserted) => {
                if let Some(tenant) = self.tenant_of(known) {
                    let by = GrantedBy {
                        provider: name,
                        tenant,
                    };
                    let fresh = KeptTokens {
                        refresh: asserted.kept.refresh.clone(),
                        id: asserted.kept.id.clone().or(kept.id),
                    };
                    let sealed = self.sealed(name, &due.subject, &fresh);
                    let (wanted, ask_at) = (wanted(known, &asserted), self.clock.now() + every);
                    let next = (&*sealed, ask_at);
                    self.db.rechecked(author, (&due, by), &wanted, next).await?;
                }
                Ok(true)
            }
            Err(ProviderError::Refused(why)) => {
                tracing::info!(provider = %name, session = %due.session, why, "a session ends");
                let because = "sso_refused";
                self.db.end_unvouched(author, (&due, name), because).await?;
                Ok(true)
            }
            Err(ProviderError::Unavailable(why)) => {
                tracing::warn!(provider = %name, why, "it cannot be asked again");
                Ok(false)
            }
        }
    }

    fn kept(&self, provider: &Slug, due: &DueRecheck) -> Option<KeptTokens> {
        self.opened_tokens(provider, &due.subject, &due.sealed)
    }

    /// Tokens as they were sealed; `None`: under a key that is known no more.
    pub(super) fn opened_tokens(
        &self,
        provider: &Slug,
        subject: &str,
        sealed: &[u8],
    ) -> Option<KeptTokens> {
        let opened = self.seal.open(&purpose(provider, subject), sealed)?;
        serde_json::from_slice(&opened.secret).ok()
    }

    /// Tokens as they are kept.
    pub(super) fn sealed(&self, provider: &Slug, subject: &str, kept: &KeptTokens) -> Vec<u8> {
        let text = serde_json::to_vec(kept).unwrap_or_default();
        let purpose = purpose(provider, subject);
        self.seal.seal(&purpose, &text, &mut StdRng::from_os_rng())
    }
}
