//! Who asks, by its key: one that the data plane has looked at, or one in the form.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;

use super::OAuthDesk;
use super::params::Params;
use super::refused::Refused;
use crate::control::told::{address, told};
use crate::domain::{
    ControlHeaders, KeyId, KeyToken, Principal, PrincipalId, PrincipalKind, SecretHash, Tenant,
    TokenId,
};
use crate::store::{StoreError, TokenOf};

/// A service account, and the key by which it is known.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) key: KeyId,
    pub(super) principal: Arc<Principal>,
    tenant: Option<Arc<Tenant>>,
}

impl Client {
    /// A token of its own, for the audit trail.
    pub(super) fn token(&self, id: TokenId) -> TokenOf<'_> {
        TokenOf {
            id,
            key: &self.key,
            tenant: self.tenant.as_deref(),
        }
    }
}

impl OAuthDesk {
    /// Finds out who asks.
    pub(super) async fn client(
        &self,
        headers: &HeaderMap,
        params: &Params,
    ) -> Result<Client, Refused> {
        if self.tables.is_stale() {
            return Err(Refused::unavailable());
        }
        let shown = told(headers, &ControlHeaders::PRINCIPAL);
        let (key, principal) = match (shown, params.get("client_secret")) {
            (Some(_), Some(_)) => return Err(Refused::request("The client shows two keys.")),
            (Some(principal), None) => shown_key(headers, principal).ok_or_else(Refused::client)?,
            (None, Some(secret)) => self.key_of_form(secret, address(headers)).await?,
            (None, None) => return Err(Refused::client()),
        };
        let named = params.get("client_id");
        if named.is_some_and(|named| named != key.as_str()) {
            return Err(Refused::client());
        }
        let principal = self.principal(principal).await?;
        let principal = principal.filter(|it| !it.disabled);
        let principal = principal.ok_or_else(Refused::client)?;
        if principal.kind != PrincipalKind::ServiceAccount {
            return Err(Refused::unauthorized("Clients are service accounts."));
        }
        let table = self.tables.current();
        let tenant = principal.tenant.and_then(|id| table.tenant(id));
        let tenant = tenant.cloned();
        Ok(Client {
            key,
            principal,
            tenant,
        })
    }

    async fn key_of_form(
        &self,
        secret: &str,
        from: Option<IpAddr>,
    ) -> Result<(KeyId, PrincipalId), Refused> {
        let token: KeyToken = secret.parse().map_err(|_| Refused::client())?;
        let _turn = self.lookups.acquire().await;
        let key = self.db.find_key(token.id()).await?;
        let hash = key
            .as_ref()
            .map_or(SecretHash([0; 32]), |it| it.secret_hash);
        let genuine = self.pepper.verify(token.secret(), &hash);
        let key = key.filter(|_| genuine);
        let key = key.filter(|key| key.is_good(self.clock.now()) && key.is_open_to(from));
        let key = key.ok_or_else(Refused::client)?;
        Ok((key.id, key.principal))
    }

    /// One that the table does not have yet is newer than the table.
    pub(super) async fn principal(
        &self,
        id: PrincipalId,
    ) -> Result<Option<Arc<Principal>>, StoreError> {
        if self.tables.current().principal(id).is_none() {
            self.tables.poll().await?;
        }
        Ok(self.tables.current().principal(id).cloned())
    }
}

/// The key in `Authorization`, which is good. No session, and no token: who has one for some of
/// the scopes must not get another for all of them.
fn shown_key(headers: &HeaderMap, principal: &str) -> Option<(KeyId, PrincipalId)> {
    let narrower = [&ControlHeaders::SESSION, &ControlHeaders::SCOPES];
    if narrower.iter().any(|name| told(headers, name).is_some()) {
        return None;
    }
    let key = told(headers, &ControlHeaders::CREDENTIAL)?;
    Some((key.parse().ok()?, principal.parse().ok()?))
}
