//! What a provider says of somebody.

use chrono::{DateTime, Utc};
use openidconnect::core::CoreGenderClaim;
use openidconnect::{
    AccessToken, ClaimsVerificationError, EndUserName, LocalizedClaim, NonceVerifier,
    OAuth2TokenResponse as _, SignatureVerificationError, SubjectIdentifier, TokenResponse as _,
    UserInfoClaims,
};
use serde_json::{Map, Value};

use super::discovery::{FRESH, PAUSE};
use super::entra;
use super::{
    ALGORITHMS, Client, Metadata, More, OLDEST, OidcSignIn, SKEW, Tokens, refused, unavailable,
};
use crate::authn::provider::{Asserted, KeptTokens, ProviderError, SessionThere};
use crate::config::Special;

/// Most groups of one person that are looked at: as many as Microsoft Graph tells of.
const MOST_GROUPS: usize = 11_000;

/// What is said of somebody, before it is judged.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) issuer: String,
    pub(super) subject: SubjectIdentifier,
    pub(super) email: Option<String>,
    pub(super) is_verified: Option<bool>,
    name: Option<String>,
    pub(super) authenticated_at: Option<DateTime<Utc>>,
    pub(super) more: Map<String, Value>,
}

impl Claims {
    fn lacks(&self, groups: &str) -> bool {
        let has_groups = self.more.contains_key(groups) || self.leaves_out(groups);
        self.email.is_none() || self.name.is_none() || !has_groups
    }

    /// Whether it says that there are groups, and not which (`OpenID` Connect Core §5.6.2).
    fn leaves_out(&self, groups: &str) -> bool {
        let named = self.more.get("_claim_names");
        // Entra says it so where the token is not for the code flow.
        named.is_some_and(|named| named.get(groups).is_some())
            || self.more.get("hasgroups").and_then(Value::as_bool) == Some(true)
    }

    /// As said by this issuer.
    pub(super) fn of(self, issuer: &str) -> Self {
        let issuer = issuer.to_owned();
        Self { issuer, ..self }
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

impl OidcSignIn {
    /// What the token says, once it is known to be true.
    pub(super) async fn believed(
        &self,
        tokens: &Tokens,
        nonce: impl NonceVerifier + Copy,
    ) -> Result<Claims, ProviderError> {
        let metadata = self.metadata(FRESH).await?;
        let claims = match self.verified(&metadata, tokens, nonce) {
            // Its keys may have changed since they were read.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => self.verified(&*self.metadata(PAUSE).await?, tokens, nonce),
            other => other,
        };
        claims.map_err(refused)
    }

    fn verified(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        nonce: impl NonceVerifier,
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
    pub(super) async fn asked(
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

    /// All that is said of somebody, judged.
    pub(super) async fn completed(
        &self,
        mut claims: Claims,
        client: &Client,
        tokens: &Tokens,
    ) -> Result<Asserted, ProviderError> {
        if claims.lacks(&self.settings.groups_claim) {
            let more = self.asked(client, tokens.access_token(), &claims.subject);
            claims.add(more.await?);
        }
        self.check(&mut claims)?;
        let groups = match claims.more.get(&self.settings.groups_claim) {
            None if claims.leaves_out(&self.settings.groups_claim) => {
                self.groups_left_out(tokens.access_token()).await?
            }
            Some(Value::Array(groups)) => texts(groups),
            Some(Value::String(group)) => vec![group.clone()],
            _ => Vec::new(),
        };
        let is_verified = claims.is_verified == Some(true);
        Ok(Asserted {
            issuer: claims.issuer,
            subject: claims.subject.to_string(),
            email: claims.email.clone().filter(|_| is_verified),
            claimed_email: claims.email,
            name: claims.name,
            groups: groups.into_iter().take(MOST_GROUPS).collect(),
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
            kept: KeptTokens::new(
                tokens.refresh_token().map(|token| token.secret().clone()),
                tokens.id_token().map(ToString::to_string),
            ),
        })
    }

    /// What only some providers say, and then must.
    fn check(&self, claims: &mut Claims) -> Result<(), ProviderError> {
        match &self.settings.special {
            Special::Nothing => Ok(()),
            Special::Google(hosted) => {
                let domain = claims.more.get("hd").and_then(Value::as_str);
                let is_theirs =
                    |domain: &str| hosted.iter().any(|own| own.eq_ignore_ascii_case(domain));
                if domain.is_some_and(is_theirs) {
                    Ok(())
                } else {
                    Err(refused("the account is of none of `allowed_domains`"))
                }
            }
            Special::Entra(entra) => entra::check(entra, claims),
        }
    }

    /// The groups of somebody who has more than a token has room for.
    async fn groups_left_out(&self, token: &AccessToken) -> Result<Vec<String>, ProviderError> {
        match &self.settings.special {
            Special::Entra(entra) => entra::groups(entra, &self.fetch, token).await,
            _ => Err(refused(
                "the token has no room for all groups of the account: have it tell only those \
                 that are mapped here",
            )),
        }
    }
}

pub(super) fn texts(values: &[Value]) -> Vec<String> {
    let texts = values.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn first(claim: &LocalizedClaim<EndUserName>) -> Option<String> {
    let any = || claim.iter().next().map(|(_, name)| name);
    let named = claim.get(None).or_else(any);
    named.map(|name| name.as_str().to_owned())
}
