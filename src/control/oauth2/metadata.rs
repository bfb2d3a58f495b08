//! `GET /.well-known/oauth-authorization-server`: where all this is (RFC 8414).

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::{OAuthDesk, json};

const WAYS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

pub(super) async fn handle(State(desk): State<OAuthDesk>) -> Response {
    let settings = &desk.rules.settings;
    let issuer = &*settings.issuer;
    let scopes: Vec<&String> = settings.scopes.keys().collect();
    json(&json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/.portcullis/oauth2/token"),
        "introspection_endpoint": format!("{issuer}/.portcullis/oauth2/introspect"),
        "revocation_endpoint": format!("{issuer}/.portcullis/oauth2/revoke"),
        "jwks_uri": format!("{issuer}/.well-known/portcullis/jwks.json"),
        "scopes_supported": scopes,
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": WAYS,
        "introspection_endpoint_auth_methods_supported": WAYS,
        "revocation_endpoint_auth_methods_supported": WAYS,
    }))
}
