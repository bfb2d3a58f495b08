//! The control plane.
//!
//! Two listeners. The private one has health and metrics, for orchestrators and scrapers, on an
//! address that clients do not reach. The other is a socket that only the data plane of this
//! process reaches: behind it is the administration API.

pub mod api;
mod health;
mod jwks;
mod mail;
mod oauth2;
mod own_form;
mod own_keys;
pub mod pages;
mod plane;
mod private;
mod sign_in;
mod told;
mod whole;

pub use health::Health;
pub use mail::{Letter, MailError, Mailer};
pub use oauth2::OAuthDesk;
pub use own_keys::OwnKeys;
pub use plane::OwnSocket;
pub use private::serve;
pub use sign_in::{Expiry, Letterbox, Postman, SignIns, Truth, letter};

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;

use self::api::Api;
use self::pages::Pages;
use crate::authn::SigningKeys;

/// All that only the data plane reaches.
pub fn router(
    api: Api,
    pages: Pages,
    oauth: Option<OAuthDesk>,
    signing: Arc<SigningKeys>,
) -> Router {
    let all = api::router(api)
        .merge(pages::router(pages))
        .merge(oauth.map(oauth2::router).unwrap_or_default())
        .merge(jwks::router(signing));
    all.layer(from_fn(whole::read_whole))
}
