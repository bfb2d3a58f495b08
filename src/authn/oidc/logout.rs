//! Signing out: there when somebody does here (`OpenID` Connect RP-Initiated Logout 1.0), and here
//! when somebody does there (Back-Channel Logout 1.0).

use chrono::TimeDelta;
use openidconnect::core::{
    CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    ClaimsVerificationError, IdToken, JsonWebTokenType, Nonce, SignatureVerificationError,
};
use serde_json::Value;
use url::Url;

use super::discovery::{FRESH, PAUSE};
use super::{ALGORITHMS, Metadata, More, OLDEST, OidcSignIn, SKEW, refused};
use crate::authn::provider::{LogoutAsked, ProviderError};
use crate::config::saml::Endpoint;

/// What a logout token is, and no other (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// By which names it goes (§2.4); not all providers say the first.
const TYPES: [&str; 2] = ["logout+jwt", "JWT"];
/// Longest one, in bytes.
const LONGEST: usize = 16 * 1024;

type LogoutToken =
    IdToken<More, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

impl OidcSignIn {
    /// Where somebody goes to end their session there, if it has such a place. Without
    /// the token that they came with it may ask them whether they want to.
    pub(in crate::authn) async fn log_out(
        &self,
        id_token: Option<&str>,
    ) -> Result<Option<Url>, ProviderError> {
        let metadata = self.metadata(FRESH).await?;
        let Some(at) = &metadata.additional_metadata().end_session_endpoint else {
            return Ok(None);
        };
        let mut url = Endpoint::address(at)
            .map_err(|problem| refused(format!("`end_session_endpoint` {problem}")))?;
        let mut back = self.callback.clone();
        back.set_path("/.portcullis/sign-in");
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client.id)
            .append_pair("post_logout_redirect_uri", back.as_str());
        if let Some(token) = id_token {
            url.query_pairs_mut().append_pair("id_token_hint", token);
        }
        Ok(Some(url))
    }

    /// What a provider asks for by a logout token.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn logout_asked(&self, token: &str) -> Result<LogoutAsked, ProviderError> {
        if token.len() > LONGEST {
            return Err(refused("it is longer than a logout token"));
        }
        let token: LogoutToken = token.parse().map_err(refused)?;
        let metadata = self.metadata(FRESH).await?;
        let asked = match self.asked_by(&metadata, &token) {
            // Its keys may have changed since they were read.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => self.asked_by(&*self.metadata(PAUSE).await?, &token),
            other => other,
        };
        asked.map_err(refused)
    }

    fn asked_by(
        &self,
        metadata: &Metadata,
        token: &LogoutToken,
    ) -> Result<LogoutAsked, ClaimsVerificationError> {
        let now = self.clock.now();
        let client = self.client(metadata);
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_allowed_jose_types(
                TYPES
                    .iter()
                    .filter_map(|kind| JsonWebTokenType::new((*kind).to_owned()).normalize().ok()),
            )
            .set_time_fn(move || now - SKEW)
            .set_issue_time_verifier_fn(move |made| {
                let fits = made <= now + SKEW && made >= now - OLDEST - SKEW;
                fits.then_some(())
                    .ok_or_else(|| format!("it was made at {made}, and it is {now}"))
            });
        // One that has a nonce is an ID token, shown as what it is not (§2.6).
        let none = |nonce: Option<&Nonce>| match nonce {
            None => Ok(()),
            Some(_) => Err("it has a nonce".to_owned()),
        };
        let claims = token.claims(&verifier, none)?;
        let more = &claims.additional_claims().0;
        let other = |why: &str| ClaimsVerificationError::Other(why.to_owned());
        if more.contains_key("nonce") {
            return Err(other("it has a nonce"));
        }
        let is_logout = more
            .get("events")
            .and_then(|events| events.get(EVENT))
            .is_some_and(Value::is_object);
        if !is_logout {
            return Err(other("it is no logout token (`events`)"));
        }
        let text = |name: &str| more.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text("jti").filter(|id| !id.is_empty());
        Ok(LogoutAsked {
            id: id.ok_or_else(|| other("it has no `jti`"))?,
            until: claims.expiration().max(now + OLDEST) + SKEW + TimeDelta::seconds(1),
            name: claims.subject().to_string(),
            indexes: text("sid").into_iter().collect(),
        })
    }
}
