//! `GET /tenants/{tenant}/pending-keys`.

use axum::extract::State;
use axum::response::Response;

use super::{ApiKey, shown_at};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InTenant;
use crate::store::Claims;

/// The keys that await approval in a tenant, its users' among them
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/pending-keys", tag = "keys",
    operation_id = "list_pending_keys", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ApiKey>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = page.request()?;
    let mut tx = api.db.read_for(Claims::Gateway).await?;
    let rows = tx.pending_keys(place.0.id, &page).await?;
    let now = api.clock.now();
    let rows: Vec<_> = rows.into_iter().map(|row| shown_at(row, now)).collect();
    page.answer::<ApiKey, _>(rows, |row| row.id.clone())
}
