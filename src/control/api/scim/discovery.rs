//! What this server can do (RFC 7644 §4).

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{Refusal, with_body};
use super::listing::{MOST, list_of};
use super::read::Directory;
use super::schema::{GROUP, USER, described};
use crate::control::api::path::Path;

pub(super) async fn configuration(directory: Directory) -> Response {
    let no = json!({ "supported": false });
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MOST },
        "changePassword": no, "sort": no, "etag": no,
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "API key", "primary": true,
            "description": "A key of a service account that holds `users:provision` in the tenant",
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": directory.location("ServiceProviderConfig"),
        },
    });
    with_body(StatusCode::OK, &body)
}

fn types(directory: &Directory) -> [Value; 2] {
    [("User", "/Users", USER), ("Group", "/Groups", GROUP)].map(|(name, endpoint, schema)| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name, "name": name, "endpoint": endpoint, "schema": schema,
            "description": name,
            "meta": {
                "resourceType": "ResourceType",
                "location": directory.location(&format!("ResourceTypes/{name}")),
            },
        })
    })
}

pub(super) async fn resource_types(directory: Directory) -> Response {
    list_of(&types(&directory))
}

pub(super) async fn resource_type(
    directory: Directory,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    found(&types(&directory), &id)
}

pub(super) async fn schemas(directory: Directory) -> Response {
    list_of(&described(directory.tenant.slug.as_str()))
}

pub(super) async fn schema(
    directory: Directory,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    found(&described(directory.tenant.slug.as_str()), &id)
}

fn found(all: &[Value; 2], id: &str) -> Result<Response, Refusal> {
    let found = all.iter().find(|each| each["id"] == id);
    let found = found.ok_or_else(Refusal::not_found)?;
    Ok(with_body(StatusCode::OK, found))
}
