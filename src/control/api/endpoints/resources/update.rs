//! `PATCH /tenants/{tenant}/projects/{project}/resources/{resource}`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Named, Resource};
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::path::Path;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::control::api::text::Text;
use crate::domain::ResourceId;

/// Most labels of a resource.
const MOST: usize = 20;

/// What is to change of a resource.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResourceChange {
    /// Labels that take the place of those there are: at most 20; names of 1 to 60 letters, digits
    /// and `_`, values of 1 to 200 characters.
    #[schema(value_type = BTreeMap<String, String>)]
    labels: BTreeMap<String, Text<200>>,
}

/// Label a resource
#[utoipa::path(patch,
    path = "/.portcullis/api/v1/tenants/{tenant}/projects/{project}/resources/{resource}",
    tag = "resources", operation_id = "update_resource", request_body = ResourceChange,
    responses((status = 200, description = "Changed", body = Resource)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InProject,
    Path(Named { resource }): Path<Named>,
    seen: IfMatch,
    body: Body<ResourceChange>,
) -> Result<Response, Problem> {
    let labels = checked(body.value.labels)?;
    let mut work = api.work(&caller, &place.site()).await?;
    let id = ResourceId(resource);
    let now = work.tx.resource(place.project.id, id).await?;
    seen.check(&Resource::from(now.clone()))?;
    let changed = work.tx.label_resource(place.place(), &now, &labels);
    let (changed, done) = changed.await?;
    work.changed(done, &Resource::from(changed)).await
}

fn checked(labels: BTreeMap<String, Text<200>>) -> Result<BTreeMap<String, String>, Problem> {
    let is_name = |name: &str| {
        (1..=60).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if labels.len() > MOST || !labels.keys().all(|name| is_name(name)) {
        let detail = "At most 20 labels; names of 1 to 60 letters, digits and `_`.";
        return Err(Problem::refused("invalid", detail));
    }
    let labels = labels.into_iter();
    Ok(labels.map(|(name, Text(value))| (name, value)).collect())
}
