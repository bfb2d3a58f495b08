//! `PUT /tenants/{tenant}/projects/{project}/session-rules`.

use axum::extract::State;
use axum::response::Response;

use super::SessionRules;
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::domain;

/// Ask something else of the sessions of a project
#[utoipa::path(put, path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/session-rules",
    tag = "session rules", operation_id = "put_session_rules_of_project", request_body = SessionRules,
    responses((status = 200, description = "Changed", body = SessionRules)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    seen: IfMatch,
    body: Body<SessionRules>,
) -> Result<Response, Problem> {
    let rules = domain::SessionRules::try_from(body.value)?;
    if !rules.break_glass.is_empty() {
        let detail = "`break_glass` is a tenant's: it is on record for a tenant.";
        return Err(Problem::refused("invalid", detail));
    }
    let mut work = api.work(&caller, &place.site()).await?;
    let now = work.tx.rules_of_project(place.project.id).await?;
    seen.check(&SessionRules::from(now))?;
    let done = work.tx.put_rules_of_project(place.place(), &rules).await?;
    work.changed(done, &SessionRules::from(rules)).await
}
