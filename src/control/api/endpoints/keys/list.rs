//! `GET /tenants/{tenant}/keys`.

use axum::extract::State;
use axum::response::Response;

use super::ApiKey;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InTenant;

/// The keys of a tenant's service accounts, revoked and expired ones among them
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/keys", tag = "keys",
    operation_id = "list_keys", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ApiKey>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = page.request()?;
    let mut tx = api.db.read_for(place.claims()).await?;
    let rows = tx.keys(place.0.id, &page).await?;
    page.answer::<ApiKey, _>(rows, |row| row.id.clone())
}
