//! `GET /tenants`.

use axum::extract::State;
use axum::response::Response;

use super::Tenant;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::OnPlatform;

/// All tenants, by short name
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants", tag = "tenants",
    operation_id = "list_tenants", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<Tenant>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    _: OnPlatform,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = page.request()?;
    let mut tx = api.db.read_for(OnPlatform::READS).await?;
    let rows = tx.tenants(&page).await?;
    page.answer::<Tenant, _>(rows, |row| row.slug.clone())
}
