//! `OpenID` Connect: the code flow with PKCE (RFC 7636), state, nonce and `iss` (RFC 9207).

mod examine;
mod logout;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType,
    CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm,
    CoreResponseMode, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AdditionalClaims, AdditionalProviderMetadata, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndUserName,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, LocalizedClaim, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, SubjectIdentifier, TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use crate::authn::fetch::Fetch;
use crate::authn::provider::{Asserted, Errand, ProviderError, Returned, SessionThere};
use crate::clock::Clock;
use crate::config::Oidc;

/// After so long a provider's document and keys are read anew.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// For so long they are used when it cannot be asked.
const STALE: TimeDelta = TimeDelta::hours(24);
/// It is not asked more often, whatever keys tokens name and however often it fails.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// By how much its clock may differ from ours.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// For how long after it was made a token is taken.
const OLDEST: TimeDelta = TimeDelta::minutes(10);
/// Most groups of one person that are looked at.
const MOST_GROUPS: usize = 1000;
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

/// What is known of a provider.
#[derive(Debug, Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, DateTime<Utc>)>,
    /// When it was last asked, well or in vain.
    asked_at: Option<DateTime<Utc>>,
}

/// An `OpenID` provider.
#[derive(Debug)]
pub struct OidcSignIn {
    settings: Oidc,
    callback: Url,
    fetch: Fetch,
    clock: Clock,
    known: Mutex<Known>,
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

    pub(super) async fn send(
        &self,
        state: &str,
        anew: bool,
    ) -> Result<(Url, Errand), ProviderError> {
        let client = self.client(&*self.metadata(FRESH).await?);
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
        if anew {
            let now = std::time::Duration::ZERO;
            asked = asked.add_prompt(CoreAuthPrompt::Login).set_max_age(now);
        }
        if let [domain] = &*self.settings.hosted_domains {
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
        let metadata = self.metadata(FRESH).await?;
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
        let claims = match self.verified(&metadata, &tokens, &nonce) {
            // Its keys may have changed since they were read.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                let metadata = self.metadata(PAUSE).await?;
                self.verified(&metadata, &tokens, &nonce)
            }
            other => other,
        };
        let mut claims = claims.map_err(refused)?;
        let proved = claims.authenticated_at.map(|at| at + SKEW);
        let since = errand
            .anew_since
            .and_then(|at| DateTime::from_timestamp(at, 0));
        if since.is_some_and(|since| proved.is_none_or(|proved| proved < since)) {
            let why = "they were to prove anew who they are, and have not (`auth_time`)";
            return Err(refused(why));
        }
        if claims.lacks(&self.settings.groups_claim) {
            let more = self.asked(&client, tokens.access_token(), &claims.subject);
            claims.add(more.await?);
        }
        self.asserted(claims)
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
        .set_redirect_uri(RedirectUrl::from_url(self.callback.clone()))
    }

    fn verified(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        nonce: &Nonce,
    ) -> Result<Claims, ClaimsVerificationError> {
        let now = self.clock.now();
        let client = self.client(metadata);
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now - SKEW)
            .set_issue_time_verifier_fn(move |made| {
                let fits = made <= now + SKEW && made >= now - OLDEST - SKEW;
                fits.then_some(())
                    .ok_or_else(|| format!("it was made at {made}, and it is {now}"))
            });
        let token = tokens
            .id_token()
            .ok_or_else(|| ClaimsVerificationError::Other("there is no ID token".to_owned()))?;
        let claims = token.claims(&verifier, nonce)?;
        Ok(Claims {
            issuer: claims.issuer().to_string(),
            subject: claims.subject().clone(),
            email: claims.email().map(|email| email.as_str().to_owned()),
            is_verified: claims.email_verified(),
            name: claims.name().and_then(first),
            authenticated_at: claims.auth_time(),
            more: claims.additional_claims().0.clone(),
        })
    }

    /// What the token leaves out.
    async fn asked(
        &self,
        client: &Client,
        token: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Option<Claims>, ProviderError> {
        let Ok(request) = client.user_info(token.clone(), Some(subject.clone())) else {
            return Ok(None);
        };
        let told: UserInfoClaims<More, CoreGenderClaim> = request
            .request_async(&self.fetch)
            .await
            .map_err(unavailable)?;
        Ok(Some(Claims {
            issuer: String::new(),
            subject: told.subject().clone(),
            email: told.email().map(|email| email.as_str().to_owned()),
            is_verified: told.email_verified(),
            name: told.name().and_then(first),
            authenticated_at: None,
            more: told.additional_claims().0.clone(),
        }))
    }

    fn asserted(&self, claims: Claims) -> Result<Asserted, ProviderError> {
        let hosted = &self.settings.hosted_domains;
        let domain = claims.more.get("hd").and_then(Value::as_str);
        let is_theirs = |domain: &str| hosted.iter().any(|own| own.eq_ignore_ascii_case(domain));
        if !hosted.is_empty() && !domain.is_some_and(is_theirs) {
            return Err(refused("the account is of none of `allowed_domains`"));
        }
        let groups = claims.more.get(&self.settings.groups_claim);
        let groups = match groups {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(group)) => vec![&**group],
            _ => Vec::new(),
        };
        let groups = groups.into_iter().take(MOST_GROUPS).map(str::to_owned);
        let is_verified = claims.is_verified == Some(true);
        Ok(Asserted {
            issuer: claims.issuer,
            subject: claims.subject.to_string(),
            email: claims.email.clone().filter(|_| is_verified),
            claimed_email: claims.email,
            name: claims.name,
            groups: groups.collect(),
            authenticated_at: claims.authenticated_at,
            ends_at: None,
            session: Some(SessionThere {
                name: claims.subject.to_string(),
                index: claims
                    .more
                    .get("sid")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                ..SessionThere::default()
            }),
        })
    }

    /// What the provider says of itself, at most so old. What is older serves while it cannot be
    /// asked.
    async fn metadata(&self, fresh: TimeDelta) -> Result<Arc<Metadata>, ProviderError> {
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

/// As [`PAUSE`], for one of which nothing is known yet.
const SHORT_PAUSE: TimeDelta = TimeDelta::seconds(2);

/// As written: a slash more or less is another issuer.
async fn discover(issuer: &Url, fetch: &Fetch) -> Result<Metadata, ProviderError> {
    let issuer = issuer.as_str();
    let bare = issuer.strip_suffix('/').unwrap_or(issuer);
    let read = async |issuer: &str| {
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(unavailable)?;
        Metadata::discover_async(issuer, fetch)
            .await
            .map_err(unavailable)
    };
    match read(bare).await {
        Err(_) if bare != issuer => read(issuer).await,
        read => read,
    }
}

/// What is said of somebody, before it is judged.
#[derive(Debug)]
struct Claims {
    issuer: String,
    subject: SubjectIdentifier,
    email: Option<String>,
    is_verified: Option<bool>,
    name: Option<String>,
    authenticated_at: Option<DateTime<Utc>>,
    more: Map<String, Value>,
}

impl Claims {
    fn lacks(&self, groups: &str) -> bool {
        self.email.is_none() || self.name.is_none() || !self.more.contains_key(groups)
    }

    /// What the token says counts; the rest is of what was asked for with it.
    fn add(&mut self, told: Option<Self>) {
        let Some(told) = told else { return };
        if self.email.is_none() {
            self.email = told.email;
            self.is_verified = told.is_verified;
        }
        self.name = self.name.take().or(told.name);
        for (name, value) in told.more {
            self.more.entry(name).or_insert(value);
        }
    }
}

fn first(claim: &LocalizedClaim<EndUserName>) -> Option<String> {
    let any = || claim.iter().next().map(|(_, name)| name);
    let named = claim.get(None).or_else(any);
    named.map(|name| name.as_str().to_owned())
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
