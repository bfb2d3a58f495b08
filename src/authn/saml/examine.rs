//! Looking at a provider before anybody signs in there.

use chrono::{DateTime, Utc};
use openidconnect::http;

use super::SamlSignIn;
use crate::authn::examined::{Examined, Verdict};
use crate::config::saml::{Certificate, Description, Idp};

/// When a certificate ends, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Whether it is the provider's, else it is ours.
    pub is_theirs: bool,
    /// SHA-256 of it.
    pub fingerprint: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl SamlSignIn {
    /// When the certificates end that are in use; of the provider's, those that are known.
    pub async fn expiries(&self) -> Vec<Expiry> {
        let expiry = |is_theirs, certificate: &Certificate| Expiry {
            is_theirs,
            fingerprint: certificate.fingerprint(),
            at: certificate.not_after,
        };
        let own = self.settings.sp_key.iter();
        let own = own.map(|key| expiry(false, &key.certificate));
        let theirs = self.source.description().await;
        let theirs = theirs.map_or_else(|_| Vec::new(), |it| it.certificates.clone());
        let theirs = theirs.iter().map(|certificate| expiry(true, certificate));
        own.chain(theirs).collect()
    }

    pub(in crate::authn) async fn examine(&self) -> Vec<Examined> {
        let mut found = vec![
            Examined::ok("our entity ID", &self.site.entity_id),
            Examined::ok("our assertion consumer service", &self.site.acs),
        ];
        let stated = match &self.settings.idp {
            Idp::Stated(_) => "as the configuration has it",
            Idp::Metadata { .. } => "read",
        };
        match self.source.description().await {
            Err(error) => found.push(Examined::wrong("metadata", error)),
            Ok(description) => {
                found.push(Examined::ok("metadata", stated));
                self.examine_idp(&description, &mut found).await;
            }
        }
        let now = self.clock.now();
        for expiry in self.expiries().await {
            let what = if expiry.is_theirs {
                "certificate of the provider"
            } else {
                "certificate of ours"
            };
            let certificate = (&*expiry.fingerprint, expiry.at);
            found.push(Examined::certificate(what, certificate, now));
        }
        found
    }

    async fn examine_idp(&self, of: &Description, found: &mut Vec<Examined>) {
        if let Some((url, binding)) = Description::endpoint(&of.sso, self.settings.binding) {
            let what = "sign-on service";
            let request = http::Request::get(url.as_str()).body(Vec::new());
            let told = match request.map_err(|error| error.to_string()) {
                Ok(request) => match self.source.fetch().send(request).await {
                    // What it says to a request that is none does not matter.
                    Ok(_) => Examined::ok(what, format!("{url} by {}", binding.word())),
                    Err(error) => Examined::wrong(what, format!("{url}: {error}")),
                },
                Err(error) => Examined::wrong(what, format!("{url}: {error}")),
            };
            found.push(told);
        }
        found.push(match Description::endpoint(&of.slo, self.settings.binding) {
            Some((url, binding)) if self.settings.sp_key.is_some() => {
                Examined::ok("logout service", format!("{url} by {}", binding.word()))
            }
            Some((url, _)) => Examined::new(
                "logout service",
                Verdict::Warning,
                format!("{url}; most providers want `sp_key` for it, as requests are not signed without"),
            ),
            None => Examined::ok("logout service", "none: sessions there go on"),
        });
    }
}
