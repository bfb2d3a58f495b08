//! What is special about Microsoft Entra ID.

use openidconnect::{AccessToken, http};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::claims::{Claims, texts};
use super::{refused, unavailable};
use crate::authn::fetch::Fetch;
use crate::authn::provider::ProviderError;
use crate::config::Entra;

/// An address is whatever an administrator of a directory has typed, unless the directory has
/// proved that its domain is its own (`xms_edov`). `email_verified` says nothing there.
pub(super) fn check(entra: &Entra, claims: &mut Claims) -> Result<(), ProviderError> {
    let directory = claims.more.get("tid").and_then(Value::as_str);
    let directory = directory.and_then(|id| id.parse::<Uuid>().ok());
    if directory != Some(entra.directory) {
        return Err(refused("the account is not of the directory `tenant_id`"));
    }
    let proved = claims.more.get("xms_edov");
    let is_proved =
        proved.is_some_and(|it| *it == json!(true) || *it == json!(1) || *it == json!("1"));
    claims.is_verified = Some(is_proved);
    Ok(())
}

#[derive(Deserialize)]
struct Answer {
    value: Vec<Value>,
}

/// The ids of all groups and roles of whom the token is of. A token names 200 at most; it then has
/// an address of where to ask, which is that of an interface that is no more.
pub(super) async fn groups(
    entra: &Entra,
    fetch: &Fetch,
    token: &AccessToken,
) -> Result<Vec<String>, ProviderError> {
    let graph = entra.graph.as_str().trim_end_matches('/');
    let request = http::Request::post(format!("{graph}/v1.0/me/getMemberObjects"))
        .header("authorization", format!("Bearer {}", token.secret()))
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .body(
            json!({ "securityEnabledOnly": false })
                .to_string()
                .into_bytes(),
        )
        .map_err(unavailable)?;
    let answer = fetch.send(request).await.map_err(unavailable)?;
    if !answer.status().is_success() {
        return Err(unavailable(format!(
            "Microsoft Graph does not tell the groups of an account that has many: {}; the \
             application needs its permission `User.Read`",
            answer.status()
        )));
    }
    let answer: Answer = serde_json::from_slice(answer.body()).map_err(unavailable)?;
    Ok(texts(&answer.value))
}
