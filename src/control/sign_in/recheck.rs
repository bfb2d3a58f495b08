//! Providers are asked again what they say of whoever has a session.

use std::time::Duration;

use chrono::TimeDelta;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::SignIns;
use super::by_provider::{Known, wanted};
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
    /// Asks for as long as the gateway runs.
    pub async fn recheck(self, mut author: Author) {
        let mut rounds = tokio::time::interval(ROUND);
        loop {
            rounds.tick().await;
            for (name, known) in self.providers.iter() {
                if let Err(error) = self.recheck_with(&mut author, known).await {
                    tracing::warn!(provider = %name, %error, "sessions were not checked again");
                }
            }
        }
    }

    /// All whose time it is, until one cannot be asked for: then nor can the others.
    async fn recheck_with(&self, author: &mut Author, known: &Known) -> Result<(), StoreError> {
        let Some(every) = every(known) else {
            return Ok(());
        };
        let name = &known.settings.name;
        let now = self.clock.now();
        let due = self.db.take_due_rechecks(name, now, RETRY).await?;
        let mut is_away = false;
        for due in due {
            let Some(kept) = self.kept(name, &due) else {
                self.db
                    .end_unvouched(author, (&due, name), "sso_sealed")
                    .await?;
                continue;
            };
            let said = if is_away {
                Err(ProviderError::Unavailable(
                    "it was asked in vain".to_owned(),
                ))
            } else {
                known.service.ask_again(&kept, &due.subject).await
            };
            match said {
                Ok(asserted) => {
                    let Some(tenant) = self.tenant_of(known) else {
                        continue;
                    };
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
                Err(ProviderError::Refused(why)) => {
                    tracing::info!(provider = %name, session = %due.session, why, "a session ends");
                    let because = "sso_refused";
                    self.db.end_unvouched(author, (&due, name), because).await?;
                }
                Err(ProviderError::Unavailable(why)) => {
                    if !is_away {
                        tracing::warn!(provider = %name, why, "it cannot be asked again");
                    }
                    is_away = true;
                    if now - due.checked_at >= every * GOOD_FOR {
                        let because = "sso_unavailable";
                        self.db.end_unvouched(author, (&due, name), because).await?;
                    }
                }
            }
        }
        Ok(())
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
