//! `OpenID` Connect: the code flow with PKCE (RFC 7636), state, nonce and `iss` (RFC 9207).

mod again;
mod claims;
mod discovery;
mod entra;
mod examine;
mod logout;

use chrono::{DateTime, TimeDelta};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType,
    CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm,
    CoreResponseMode, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AdditionalProviderMetadata, AuthType, AuthorizationCode, ClientId,
    ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, Nonce, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl,
    RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use crate::authn::fetch::Fetch;
use crate::authn::provider::{Asserted, Errand, ProviderError, Returned};
use crate::clock::Clock;
use crate::config::{Offline, Oidc, Special};

/// By how much its clock may differ from ours.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// For how long after it was made a token is taken.
const OLDEST: TimeDelta = TimeDelta::minutes(10);
/// How tokens may be signed: by a key of the provider's, never by a secret that both know.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 8] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
];

/// Claims beside the standard ones.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More(#[serde(default)] Map<String, Value>);

impl AdditionalClaims for More {}

/// What the discovery document says beside the standard.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Extensions {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    /// `OpenID` Connect RP-Initiated Logout 1.0 §2.1.
    end_session_endpoint: Option<String>,
    /// RFC 8414 §2; `None`: it does not say.
    code_challenge_methods_supported: Option<Vec<String>>,
}

impl AdditionalProviderMetadata for Extensions {}

type Metadata = ProviderMetadata<
    Extensions,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Fields = IdTokenFields<
    More,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Client = openidconnect::Client<
    More,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An `OpenID` provider.
#[derive(Debug)]
pub struct OidcSignIn {
    settings: Oidc,
    callback: Url,
    fetch: Fetch,
    clock: Clock,
    known: Mutex<discovery::Known>,
}

impl OidcSignIn {
    pub(super) fn new(settings: Oidc, callback: Url, fetch: Fetch, clock: Clock) -> Self {
        Self {
            settings,
            callback,
            fetch,
            clock,
            known: Mutex::default(),
        }
    }

    /// Google knows neither `max_age` nor `prompt=login`.
    pub(super) const fn proves_anew(&self) -> bool {
        !matches!(self.settings.special, Special::Google(_))
    }

    pub(super) async fn send(
        &self,
        state: &str,
        anew: bool,
    ) -> Result<(Url, Errand), ProviderError> {
        let client = self.client(&*self.metadata(discovery::FRESH).await?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = state.to_owned();
        let mut asked = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in ["email", "profile"]
            .into_iter()
            .chain(self.settings.scopes.iter().map(String::as_str))
        {
            asked = asked.add_scope(Scope::new(scope.to_owned()));
        }
        let anew = anew && self.proves_anew();
        if anew {
            let now = std::time::Duration::ZERO;
            asked = asked.add_prompt(CoreAuthPrompt::Login).set_max_age(now);
        }
        match self.settings.offline {
            Offline::Unasked => {}
            Offline::Scope => asked = asked.add_scope(Scope::new("offline_access".to_owned())),
            // Without consent it gives none to whom it has given one before.
            Offline::AccessType => {
                asked = asked
                    .add_extra_param("access_type", "offline")
                    .add_extra_param("prompt", "consent");
            }
        }
        if let Special::Google(domains) = &self.settings.special
            && let [domain] = &**domains
        {
            asked = asked.add_extra_param("hd", domain.clone());
        }
        let (url, _, nonce) = asked.url();
        let errand = Errand {
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            anew_since: anew.then(|| self.clock.now().timestamp()),
        };
        Ok((url, errand))
    }

    pub(super) async fn receive(
        &self,
        errand: Errand,
        returned: Returned,
    ) -> Result<Asserted, ProviderError> {
        let metadata = self.metadata(discovery::FRESH).await?;
        Self::check_issuer(&metadata, returned.issuer.as_deref())?;
        let client = self.client(&metadata);
        let tokens = client
            .exchange_code(AuthorizationCode::new(returned.code))
            .map_err(unavailable)?
            .set_pkce_verifier(PkceCodeVerifier::new(errand.verifier))
            .request_async(&self.fetch)
            .await
            .map_err(not_exchanged)?;
        let nonce = Nonce::new(errand.nonce);
        let claims = self.believed(&tokens, &nonce).await?;
        let proved = claims.authenticated_at.map(|at| at + SKEW);
        let since = errand
            .anew_since
            .and_then(|at| DateTime::from_timestamp(at, 0));
        if since.is_some_and(|since| proved.is_none_or(|proved| proved < since)) {
            let why = "they were to prove anew who they are, and have not (`auth_time`)";
            return Err(refused(why));
        }
        self.completed(claims, &client, &tokens).await
    }

    /// Another provider's answer is not taken for this one's (RFC 9207 §2.4).
    fn check_issuer(metadata: &Metadata, told: Option<&str>) -> Result<(), ProviderError> {
        let tells = metadata.additional_metadata();
        match told {
            Some(told) if told == metadata.issuer().as_str() => Ok(()),
            None if !tells.authorization_response_iss_parameter_supported => Ok(()),
            _ => Err(refused("the answer is not of this provider (`iss`)")),
        }
    }

    fn client(&self, metadata: &Metadata) -> Client {
        let Oidc { client, .. } = &self.settings;
        let secret = client.secret.as_ref();
        Client::from_provider_metadata(
            metadata.clone(),
            ClientId::new(client.id.clone()),
            secret.map(|secret| ClientSecret::new(secret.0.clone())),
        )
        .set_auth_type(auth_type(metadata))
        .set_redirect_uri(RedirectUrl::from_url(self.callback.clone()))
    }
}

/// How the secret is shown: in a header, which all must take that say nothing (`OpenID` Connect
/// Discovery §3), or in the form, where only that is taken.
fn auth_type(metadata: &Metadata) -> AuthType {
    let known = metadata.token_endpoint_auth_methods_supported();
    if known.is_none_or(|known| known.contains(&CoreClientAuthMethod::ClientSecretBasic)) {
        AuthType::BasicAuth
    } else {
        AuthType::RequestBody
    }
}

fn not_exchanged<E: std::error::Error + 'static>(
    error: RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
) -> ProviderError {
    match error {
        RequestTokenError::ServerResponse(told) => refused(told),
        other => unavailable(told(&other)),
    }
}

fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unavailable(error: impl ToString) -> ProviderError {
    ProviderError::Unavailable(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn refused(error: impl ToString) -> ProviderError {
    ProviderError::Refused(error.to_string())
}
