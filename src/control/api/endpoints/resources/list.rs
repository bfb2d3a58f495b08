//! `GET /tenants/{tenant}/projects/{project}/resources`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Resource;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InProject;
use crate::control::api::text::Text;

/// Which resources.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Of this type.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", min_length = 1, max_length = 100)]
    kind: Option<Text<100>>,
    /// `next_cursor` of the page before.
    #[param(pattern = r"^[A-Za-z0-9_-]+$", max_length = 500)]
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// The resources of a project
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/resources",
    tag = "resources", operation_id = "list_resources", params(Wanted),
    responses((status = 200, description = "A page", body = Page<Resource>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InProject,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let page = PageQuery::new(wanted.cursor, wanted.limit).request()?;
    let kind = wanted.kind.map(|Text(kind)| kind);
    let mut tx = api.db.read_for(place.claims()).await?;
    let rows = tx.resources(place.project.id, kind.as_deref(), &page);
    let rows = rows.await?;
    page.answer::<Resource, _>(rows, |row| row.id.to_string())
}
