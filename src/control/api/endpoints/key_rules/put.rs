//! `PUT /tenants/{tenant}/key-rules`.

use axum::extract::State;
use axum::response::Response;

use super::{KeyRules, NewKeyRules};
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;

/// Ask something else of the keys of a tenant
#[utoipa::path(put, path = "/.portcullis/api/v1/tenants/{tenant}/key-rules",
    tag = "key rules", operation_id = "put_key_rules", request_body = NewKeyRules,
    responses((status = 200, description = "Changed", body = KeyRules)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    seen: IfMatch,
    body: Body<NewKeyRules>,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let former = work.tx.key_rules(place.0.id).await?;
    seen.check(&KeyRules::from(former.clone()))?;
    let rules = body.value.instead_of(&former, work.tx.now())?;
    let done = work.tx.put_key_rules(&place.0, &rules).await?;
    work.changed(done, &KeyRules::from(rules)).await
}
