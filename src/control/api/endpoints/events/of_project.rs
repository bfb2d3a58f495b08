//! `GET /tenants/{tenant}/projects/{project}/events`.

use axum::extract::State;
use axum::response::Response;

use super::{EventPage, Wanted, answer};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::problem::Problem;
use crate::control::api::query::Query;
use crate::control::api::scope::InProject;

/// What was done in a project, the newest first
#[utoipa::path(get, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/events",
    tag = "events", operation_id = "list_events_of_project", params(Wanted),
    responses((status = 200, description = "A page", body = EventPage)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    _: Caller,
    place: InProject,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let (tenant, project) = place.place();
    let (tenant, project) = (Some(tenant.id), Some(project.id));
    answer(&api, place.claims(), tenant, project, wanted).await
}
