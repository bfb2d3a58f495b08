//! `GET /providers`.

use axum::extract::State;
use axum::response::Response;

use super::Provider;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::OnPlatform;
use crate::store::Claims;

/// Sign-in providers by name; those of the configuration are not among them
#[utoipa::path(get, path = "/.portcullis/api/v1/providers", tag = "providers",
    operation_id = "list_providers", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<Provider>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    _: OnPlatform,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let desk = &api.providers;
    let page = page.request()?;
    let mut tx = api.db.read_for(Claims::Gateway).await?;
    let rows = tx.providers(&page).await?;
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| Provider::of(row, desk))
        .collect();
    page.answer::<Provider, _>(rows, |row| row.name.clone())
}
