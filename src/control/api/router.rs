//! Every route of the API. Which permission each of them asks for is in
//! `config/presets/portcullis.yaml`; without a route there, nothing comes here.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{delete, get, post, put};

use super::Api;
use super::body::MAX_BODY;
use super::endpoints::{
    bindings, events, key_rules, keys, me, members, openapi, projects, providers, resources, roles,
    session_rules, tenants,
};
use super::problem::Problem;

/// All of it.
pub fn router(api: Api) -> Router {
    let v1 = Router::new()
        .route("/me", get(me::handle))
        .route("/events", get(events::of_all::handle))
        .nest("/tenants", tenants_router())
        .nest("/providers", providers_router())
        .nest("/tenants/{tenant}", in_tenant())
        .nest("/tenants/{tenant}/projects/{project}", in_project());
    Router::new()
        .route("/.portcullis/openapi.json", get(openapi::handle))
        .nest("/.portcullis/api/v1", v1)
        .nest("/.portcullis/scim/v2/{tenant}", super::scim::router())
        .fallback(async || Problem::not_found("There is no such path."))
        .method_not_allowed_fallback(async || {
            let detail = "This path does not take this method.";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_routed", detail)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(async |response| never_kept(response)))
        .with_state(api)
}

fn tenants_router() -> Router<Api> {
    Router::new()
        .route(
            "/",
            get(tenants::list::handle).post(tenants::create::handle),
        )
        .route("/{tenant}", get(tenants::read::handle))
}

fn providers_router() -> Router<Api> {
    Router::new()
        .route(
            "/",
            get(providers::list::handle).post(providers::create::handle),
        )
        .route(
            "/{provider}",
            get(providers::read::handle)
                .put(providers::update::handle)
                .delete(providers::delete::handle),
        )
}

fn in_tenant() -> Router<Api> {
    Router::new()
        .route(
            "/projects",
            get(projects::list::handle).post(projects::create::handle),
        )
        .route(
            "/roles",
            get(roles::list::handle).post(roles::create::handle),
        )
        .route(
            "/roles/{role}",
            get(roles::read::handle)
                .patch(roles::update::handle)
                .delete(roles::delete::handle),
        )
        .route(
            "/bindings",
            get(bindings::list::handle).post(bindings::create::handle),
        )
        .route("/bindings/{binding}", delete(bindings::delete::handle))
        .route("/keys", get(keys::list::handle).post(keys::create::handle))
        .route("/pending-keys", get(keys::pending::handle))
        .route("/key-revocations", post(keys::revoke_all::handle))
        .route("/keys/{key}", delete(keys::revoke::handle))
        .route("/keys/{key}/rotate", post(keys::rotate::handle))
        .route("/keys/{key}/approve", post(keys::approve::handle))
        .route(
            "/key-rules",
            get(key_rules::read::handle).put(key_rules::put::handle),
        )
        .route("/events", get(events::of_tenant::handle))
        .route(
            "/session-rules",
            get(session_rules::of_tenant::handle).put(session_rules::put_of_tenant::handle),
        )
        .route(
            "/projects/{project}",
            get(projects::read::handle)
                .patch(projects::update::handle)
                .delete(projects::delete::handle),
        )
}

fn in_project() -> Router<Api> {
    Router::new()
        .route("/owner", put(projects::transfer::handle))
        .route(
            "/members",
            get(members::list::handle).post(members::add::handle),
        )
        .route(
            "/members/{member}",
            get(members::read::handle)
                .patch(members::update::handle)
                .delete(members::remove::handle),
        )
        .route("/resources", get(resources::list::handle))
        .route(
            "/resources/{resource}",
            get(resources::read::handle)
                .patch(resources::update::handle)
                .delete(resources::release::handle),
        )
        .route(
            "/resources/{resource}/project",
            put(resources::transfer::handle),
        )
        .route("/events", get(events::of_project::handle))
        .route(
            "/session-rules",
            get(session_rules::of_project::handle).put(session_rules::put_of_project::handle),
        )
}

/// Nobody on the way keeps an answer.
fn never_kept(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
