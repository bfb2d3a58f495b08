//! `DELETE /tenants/{tenant}/projects/{project}/resources/{resource}`.

use axum::extract::State;
use axum::response::Response;

use super::{Named, Resource};
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::domain::ResourceId;

/// Forget whose a resource is
///
/// The backend keeps it, and nobody reaches it until somebody adopts it. Bindings on it end.
#[utoipa::path(delete,
    path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/resources/{resource}",
    tag = "resources", operation_id = "release_resource",
    responses((status = 204, description = "Released")))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    Path(Named { resource }): Path<Named>,
    seen: IfMatch,
) -> Result<Response, Problem> {
    let mut work = api.work(&caller, &place.site()).await?;
    let id = ResourceId(resource);
    let now = work.tx.resource(place.project.id, id).await?;
    seen.check(&Resource::from(now.clone()))?;
    let done = work.tx.release_resource(place.place(), &now).await?;
    work.gone(done).await
}
