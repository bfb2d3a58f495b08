//! `GET /tenants/{tenant}/roles`.

use axum::extract::State;
use axum::response::Response;

use super::Role;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InTenant;

/// The roles that can be bound in a tenant, built in or its own
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/roles", tag = "roles",
    operation_id = "list_roles", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<Role>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = page.request()?;
    let mut tx = api.db.read_for(place.claims()).await?;
    let rows = tx.roles(place.0.id, &page).await?;
    page.answer::<Role, _>(rows, |row| row.name.clone())
}
