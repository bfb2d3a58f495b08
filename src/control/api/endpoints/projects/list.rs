//! `GET /tenants/{tenant}/projects`.

use axum::extract::State;
use axum::response::Response;

use super::Project;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InTenant;

/// The projects of a tenant, by short name
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/projects", tag = "projects",
    operation_id = "list_projects", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<Project>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = page.request()?;
    let mut tx = api.db.read_for(place.claims()).await?;
    let rows = tx.projects(place.0.id, &page).await?;
    page.answer::<Project, _>(rows, |row| row.slug.clone())
}
