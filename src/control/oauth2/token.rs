//! `POST /.portcullis/oauth2/token`: an access token for a key.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

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
    if params.required("grant_type")? != "client_credentials" {
        return Err(Refused::grant());
    }
    let scope = desk.scope(params.get("scope"))?;
    let (key, now) = (&client.key, desk.clock.now());
    let issued = desk.rules.issue((client.principal.id, key), scope, now);
    let (text, token) = issued.ok_or_else(Refused::unavailable)?;
    let mut author = desk.author(&client.principal);
    let AccessToken { jti, scope, .. } = &token;
    let noted = client.token(*jti);
    desk.db.note_token(&mut author, noted, scope).await?;
    Ok(json(&json!({
        "access_token": text,
        "token_type": "Bearer",
        "expires_in": token.exp - token.iat,
        "scope": scope,
    })))
}

impl OAuthDesk {
    /// The scopes that are asked for, each once; all of them if none is.
    fn scope(&self, asked: Option<&str>) -> Result<String, Refused> {
        let known = &self.rules.settings.scopes;
        let Some(asked) = asked else {
            let all: Vec<&str> = known.keys().map(String::as_str).collect();
            return Ok(all.join(" "));
        };
        let mut names: Vec<&str> = asked.split(' ').collect();
        names.sort_unstable();
        names.dedup();
        let all_known = names.iter().all(|name| known.contains_key(*name));
        all_known
            .then(|| names.join(" "))
            .ok_or_else(Refused::scope)
    }
}
