//! `GET /tenants/{tenant}/bindings`.

use axum::extract::State;
use axum::response::Response;

use super::Binding;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InTenant;

/// All bindings in a tenant, its projects and their resources
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/bindings", tag = "bindings",
    operation_id = "list_bindings", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<Binding>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = page.request()?;
    let mut tx = api.db.read_for(place.claims()).await?;
    let rows = tx.bindings(place.0.id, &page).await?;
    page.answer::<Binding, _>(rows, |row| row.id.to_string())
}
