//! `GET /tenants/{tenant}/keys`.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ApiKey, shown_at};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::page::{Page, PageQuery, Pages as _};
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InTenant;
use crate::store::api::KeyFilter;

/// Longest time that can be asked for, in days.
const MOST_DAYS: u16 = 3650;

/// Which keys, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyQuery {
    /// Only those that could be used and have not been for so many days.
    #[param(minimum = 1, maximum = 3650)]
    unused_days: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(pattern = r"^[A-Za-z0-9_-]+$", max_length = 500)]
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// The keys of a tenant's service accounts, revoked and expired ones among them
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/keys", tag = "keys",
    operation_id = "list_keys", params(KeyQuery),
    responses((status = 200, description = "A page", body = Page<ApiKey>)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InTenant,
    Query(asked): Query<KeyQuery>,
) -> Result<Response, Problem> {
    let page = PageQuery::new(asked.cursor, asked.limit).request()?;
    let now = api.clock.now();
    let days = asked.unused_days;
    if days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
        let detail = format!("`unused_days` is 1 to {MOST_DAYS}.");
        return Err(Problem::malformed(detail));
    }
    let filter = KeyFilter {
        unused_since: days.map(|days| now - TimeDelta::days(days.into())),
    };
    let mut tx = api.db.read_for(place.claims()).await?;
    let rows = tx.keys(place.0.id, filter, &page).await?;
    let rows: Vec<_> = rows.into_iter().map(|row| shown_at(row, now)).collect();
    page.answer::<ApiKey, _>(rows, |row| row.id.clone())
}
