//! `POST /.portcullis/oauth2/revoke`: the end of a token, by whom it was given to.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::DateTime;

use super::OAuthDesk;
use super::params::Params;
use super::refused::Refused;

pub(super) async fn handle(
    State(desk): State<OAuthDesk>,
    headers: HeaderMap,
    params: Params,
) -> Result<StatusCode, Refused> {
    let client = desk.client(&headers, &params).await?;
    let text = params.required("token")?;
    // What is no good needs no end (RFC 7009 §2.2).
    let Ok(token) = desk.rules.read(text, desk.clock.now()) else {
        return Ok(StatusCode::OK);
    };
    if token.client_id != client.key {
        return Err(Refused::unauthorized("The token is another client's."));
    }
    let expires_at = DateTime::from_timestamp(token.exp, 0).unwrap_or_default();
    let mut author = desk.author(&client.principal);
    let ended = client.token(token.jti);
    desk.db.revoke_token(&mut author, ended, expires_at).await?;
    desk.revoked.invalidate(&token.jti);
    Ok(StatusCode::OK)
}
