//! `DELETE /tenants/{tenant}/keys/{key}`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::domain::KeyId;

/// `{key}` in a path.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    key: String,
}

impl Named {
    /// Which.
    pub(super) fn id(&self) -> Result<KeyId, Problem> {
        let id = self.key.parse::<KeyId>();
        id.map_err(|_| Problem::not_found(format!("no API key `{}`", self.key)))
    }
}

/// Revoke a key for good
#[utoipa::path(delete, path = "/.portcullis/api/v1/tenants/{tenant}/keys/{key}", tag = "keys",
    operation_id = "revoke_key",
    responses((status = 204, description = "Revoked")))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    Path(named): Path<Named>,
) -> Result<Response, Problem> {
    let id = named.id()?;
    let mut work = api.work(&caller, &place.site()).await?;
    let key = work.tx.key(place.0.id, &id).await?;
    let done = work.tx.revoke_api_key(&place.0, &key).await?;
    let answer = work.gone(done).await;
    api.keys.invalidate(&id);
    answer
}
