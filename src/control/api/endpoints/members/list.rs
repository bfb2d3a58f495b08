//! `GET /tenants/{tenant}/projects/{project}/members`.

use axum::extract::State;
use axum::response::Response;

use super::Member;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InProject;

/// The members of a project, its owner among them
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/members",
    tag = "members", operation_id = "list_members", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<Member>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InProject,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = page.request()?;
    let mut tx = api.db.read_for(place.claims()).await?;
    let rows = tx.members(place.project.id, &page).await?;
    page.answer::<Member, _>(rows, |row| row.id.to_string())
}
