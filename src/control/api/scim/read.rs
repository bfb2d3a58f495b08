//! Who asks, for which directory, and what.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::answer::Refusal;
use crate::config;
use crate::control::api::Api;
use crate::control::api::caller::Caller;
use crate::control::api::scope::InTenant;
use crate::domain::Tenant;

/// The directory of a tenant, whose caller may change it.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) api: Api,
    pub(super) caller: Caller,
    pub(super) tenant: Arc<Tenant>,
    pub(super) settings: config::Directory,
}

impl Directory {
    /// Where something of it is.
    pub(super) fn location(&self, path: &str) -> String {
        format!("/.portcullis/scim/v2/{}/{path}", self.tenant.slug)
    }
}

impl FromRequestParts<Api> for Directory {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        let told = InTenant::from_request_parts(parts, api).await;
        let InTenant(tenant) = told.map_err(IntoResponse::into_response)?;
        let caller = Caller::from_request_parts(parts, api).await;
        let caller = caller.map_err(IntoResponse::into_response)?;
        let mut all = api.directories.iter();
        let settings = all.find(|each| each.tenant == tenant.slug).cloned();
        let settings = settings.ok_or_else(|| Refusal::not_found().into_response())?;
        Ok(Self {
            api: api.clone(),
            caller,
            tenant,
            settings,
        })
    }
}

/// A JSON object.
#[derive(Debug)]
pub(super) struct Sent(pub(super) Map<String, Value>);

impl FromRequest<Api> for Sent {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let known = ["application/scim+json", "application/json"];
        if !known.iter().any(|own| own.eq_ignore_ascii_case(kind)) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Refusal::new(status, None, "Send application/scim+json."));
        }
        let bytes = Bytes::from_request(request, api).await.map_err(|_| {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Refusal::new(
                status,
                Some("tooMany"),
                "The body is too long, or was cut off.",
            )
        })?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(sent)) => Ok(Self(sent)),
            _ => Err(Refusal::bad("invalidSyntax", "A JSON object is asked for.")),
        }
    }
}
