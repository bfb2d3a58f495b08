//! When the certificates end that sign-on rests on.

use std::sync::Arc;
use std::time::Duration;

use super::SignIns;
use crate::authn::SignInProvider;
use crate::telemetry::SignInCertificate;

/// How often that is looked at: a provider's metadata may change.
const ROUND: Duration = Duration::from_mins(10);

impl SignIns {
    /// Tells for as long as the gateway runs.
    pub async fn follow_certificates(self) {
        loop {
            self.metrics
                .sign_in
                .tell_expiries(&self.certificates().await);
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn certificates(&self) -> Vec<SignInCertificate> {
        let mut all = Vec::new();
        let providers = Arc::clone(&self.providers.all());
        for (name, known) in &*providers {
            let SignInProvider::Saml(saml) = &known.service else {
                continue;
            };
            let expiries = saml.expiries().await.into_iter();
            all.extend(expiries.map(|expiry| SignInCertificate {
                provider: name.to_string(),
                is_theirs: expiry.is_theirs,
                fingerprint: expiry.fingerprint,
                at: expiry.at,
            }));
        }
        all
    }
}
