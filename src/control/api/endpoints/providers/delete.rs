//! `DELETE /providers/{provider}`.

use axum::extract::State;
use axum::response::Response;

use super::{Named, Provider, tenant_of};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::OnPlatform;

/// Take no word of a provider any more: sessions that came from it end, and roles that it gave go
#[utoipa::path(delete, path = "/.portcullis/api/v1/providers/{provider}", tag = "providers",
    operation_id = "delete_provider",
    responses((status = 204, description = "Gone")))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    _: OnPlatform,
    Path(Named { provider }): Path<Named>,
    seen: IfMatch,
) -> Result<Response, Problem> {
    let desk = &api.providers;
    let mut work = api.work(&caller, &OnPlatform::SITE).await?;
    let now = work.tx.provider(provider.as_str()).await?;
    let tenant = tenant_of(&api, &now.stored.tenant)?;
    seen.check(&Provider::of(now, desk))?;
    let done = work.tx.delete_provider(&tenant, &provider).await?;
    work.gone(done).await
}
