//! Looking at a provider before anybody signs in there.

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{AuthorizationCode, JsonWebKey as _, PkceCodeVerifier, RequestTokenError};

use super::discovery::discover;
use super::{ALGORITHMS, Metadata, OidcSignIn, told};
use crate::authn::examined::{Examined, Verdict};

/// Nobody's: how it is refused tells whether the client is known.
const NO_CODE: &str = "portcullis-sso-test";

impl OidcSignIn {
    pub(in crate::authn) async fn examine(&self) -> Vec<Examined> {
        let mut found = vec![Examined::ok("redirect URI to register", &self.callback)];
        let metadata = match discover(&self.settings.issuer, &self.fetch).await {
            Ok(metadata) => metadata,
            Err(error) => {
                let told = format!(
                    "{error}; it is looked for at {}/.well-known/openid-configuration, and names \
                     its issuer to the letter",
                    self.settings.issuer.as_str().trim_end_matches('/')
                );
                found.push(Examined::wrong("discovery document", told));
                return found;
            }
        };
        let issuer = metadata.issuer().as_str();
        found.push(Examined::ok(
            "discovery document",
            format!("read, of {issuer}"),
        ));
        found.push(pkce(&metadata));
        found.push(algorithms(&metadata));
        found.push(keys(&metadata));
        found.extend(self.scopes(&metadata));
        found.push(self.client_is_known(&metadata).await);
        found
    }

    fn scopes(&self, metadata: &Metadata) -> Option<Examined> {
        let known = metadata.scopes_supported()?;
        let mut missing = self.settings.scopes.clone();
        missing.retain(|scope| !known.iter().any(|known| **known == *scope));
        let what = "scopes";
        Some(if missing.is_empty() {
            Examined::ok(what, "all are known there")
        } else {
            let told = format!("it does not say that it knows {}", missing.join(", "));
            Examined::new(what, Verdict::Warning, told)
        })
    }

    /// Whether it takes our name and secret: it looks at these before it looks at a code.
    async fn client_is_known(&self, metadata: &Metadata) -> Examined {
        let what = "client";
        let client = self.client(metadata);
        let request = match client.exchange_code(AuthorizationCode::new(NO_CODE.to_owned())) {
            Ok(request) => request,
            Err(error) => return Examined::wrong(what, error),
        };
        let verifier = PkceCodeVerifier::new("x".repeat(43));
        let answer = request
            .set_pkce_verifier(verifier)
            .request_async(&self.fetch)
            .await;
        match answer {
            Err(RequestTokenError::ServerResponse(said)) => match said.error() {
                CoreErrorResponseType::InvalidGrant => {
                    Examined::ok(what, "`client_id` and `client_secret` are taken")
                }
                CoreErrorResponseType::InvalidClient
                | CoreErrorResponseType::UnauthorizedClient => {
                    let told = format!("`client_id` or `client_secret` is wrong: {said}");
                    Examined::wrong(what, told)
                }
                _ => Examined::new(what, Verdict::Warning, format!("it says {said}")),
            },
            Err(error) => Examined::wrong(what, told(&error)),
            Ok(_) => Examined::wrong(what, "it takes any code"),
        }
    }
}

fn pkce(metadata: &Metadata) -> Examined {
    let what = "PKCE";
    let methods = &metadata
        .additional_metadata()
        .code_challenge_methods_supported;
    match methods {
        None => Examined::new(
            what,
            Verdict::Warning,
            "it does not say whether it knows it",
        ),
        Some(known) if known.iter().any(|method| method == "S256") => Examined::ok(what, "S256"),
        Some(_) => Examined::wrong(what, "it does not know S256"),
    }
}

fn algorithms(metadata: &Metadata) -> Examined {
    let what = "signatures";
    let known = metadata.id_token_signing_alg_values_supported();
    let taken: Vec<_> = known
        .iter()
        .filter(|each| ALGORITHMS.contains(each))
        .map(|each| format!("{each:?}"))
        .collect();
    if taken.is_empty() {
        return Examined::wrong(
            what,
            "it signs with nothing that is taken: RS256 or ES256, say",
        );
    }
    Examined::ok(what, taken.join(", "))
}

fn keys(metadata: &Metadata) -> Examined {
    let what = "keys";
    let all = metadata.jwks().keys();
    let names: Vec<_> = all
        .iter()
        .map(|key| key.key_id().map_or("without a name", |id| id.as_str()))
        .collect();
    if names.is_empty() {
        return Examined::wrong(what, "it has none that signs");
    }
    Examined::ok(what, names.join(", "))
}
