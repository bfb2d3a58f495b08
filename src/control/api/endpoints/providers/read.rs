//! `GET /providers/{provider}`.

use axum::extract::State;
use axum::response::Response;

use super::{Named, Provider};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::OnPlatform;
use crate::control::api::work::shown;
use crate::store::Claims;

/// One sign-in provider
#[utoipa::path(get, path = "/.portcullis/api/v1/providers/{provider}", tag = "providers",
    operation_id = "read_provider",
    responses((status = 200, description = "The provider", body = Provider)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    _: OnPlatform,
    Path(Named { provider }): Path<Named>,
) -> Result<Response, Problem> {
    let desk = &api.providers;
    let mut tx = api.db.read_for(Claims::Gateway).await?;
    shown(&Provider::of(tx.provider(provider.as_str()).await?, desk))
}
