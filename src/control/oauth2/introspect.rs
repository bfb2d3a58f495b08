//! `POST /.portcullis/oauth2/introspect`: whether a token is good. Who asks is of its tenant.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::client::Client;
use super::params::Params;
use super::refused::Refused;
use super::{OAuthDesk, json};
use crate::authn::AccessToken;

pub(super) async fn handle(
    State(desk): State<OAuthDesk>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Refused> {
    let client = desk.client(&headers, &params).await?;
    let text = params.required("token")?;
    let told = desk.look(&client, text).await?;
    // One answer for all that are none, and for those of others.
    Ok(json(&told.unwrap_or_else(|| json!({ "active": false }))))
}

impl OAuthDesk {
    async fn look(&self, client: &Client, text: &str) -> Result<Option<Value>, Refused> {
        let now = self.clock.now();
        let Ok(token) = self.rules.read(text, now) else {
            return Ok(None);
        };
        let holder = self.principal(token.sub).await?;
        let is_near = holder.is_some_and(|it| !it.disabled && it.tenant == client.principal.tenant);
        if !is_near || self.db.is_token_revoked(token.jti).await? {
            return Ok(None);
        }
        let key = self.db.find_key(&token.client_id).await?;
        let is_good = key.is_some_and(|key| key.is_good(now));
        Ok(is_good.then(|| described(&token)))
    }
}

fn described(token: &AccessToken) -> Value {
    let mut told = json!(token);
    told["active"] = true.into();
    told["token_type"] = "Bearer".into();
    told
}
