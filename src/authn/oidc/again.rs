//! Asking a provider again what it says of somebody who has a session (`OpenID` Connect Core §12).

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{
    Nonce, OAuth2TokenResponse as _, RefreshToken, RequestTokenError, SubjectIdentifier,
    TokenResponse as _,
};

use super::claims::Claims;
use super::discovery::FRESH;
use super::{OidcSignIn, Tokens, not_exchanged, refused, told, unavailable};
use crate::authn::provider::{Asserted, ProviderError};

impl OidcSignIn {
    /// What it says now of whom this refresh token is of.
    ///
    /// # Errors
    ///
    /// `Refused` only if it says no more of them: an error of another kind is not their fault.
    pub(in crate::authn) async fn ask_again(
        &self,
        token: &str,
        subject: &str,
    ) -> Result<Asserted, ProviderError> {
        let metadata = self.metadata(FRESH).await?;
        let client = self.client(&metadata);
        let token = RefreshToken::new(token.to_owned());
        let request = client.exchange_refresh_token(&token).map_err(unavailable)?;
        let tokens = request.request_async(&self.fetch).await;
        let mut tokens = tokens.map_err(|error| match &error {
            RequestTokenError::ServerResponse(answer)
                if *answer.error() == CoreErrorResponseType::InvalidGrant =>
            {
                not_exchanged(error)
            }
            _ => unavailable(told(&error)),
        })?;
        // It may be good for more than once.
        if tokens.refresh_token().is_none() {
            tokens.set_refresh_token(Some(token.clone()));
        }
        let claims = self.said_of(&tokens, subject).await?;
        if claims.subject.as_str() != subject {
            return Err(refused("the answer is of somebody else (`sub`)"));
        }
        self.completed(claims, &client, &tokens).await
    }

    /// By an ID token, which need not come again, else where it tells of people.
    async fn said_of(&self, tokens: &Tokens, subject: &str) -> Result<Claims, ProviderError> {
        if tokens.id_token().is_some() {
            // One that is there is that of the sign-in, which is long over.
            let any = |_: Option<&Nonce>| Ok::<_, String>(());
            return self.believed(tokens, any).await;
        }
        let metadata = self.metadata(FRESH).await?;
        let client = self.client(&metadata);
        let subject = SubjectIdentifier::new(subject.to_owned());
        let asked = self.asked(&client, tokens.access_token(), &subject).await?;
        let claims = asked.ok_or_else(|| unavailable("it has no way to say it again"))?;
        Ok(claims.of(metadata.issuer().as_str()))
    }
}
