//! Pages for people: signing in and out, and their account.
//!
//! Rendered here, complete without a script. The data plane has decided who may see which; a
//! page that changes something is asked for from a page of this site, and by a form that holds
//! the token of its session.

mod account;
mod answer;
mod assets;
mod at_tenant;
mod cookie;
mod device;
mod factors;
mod forgotten;
mod frame;
mod kept;
mod keys;
mod moment;
mod new_key;
mod passkeys;
mod password;
mod project;
mod provider;
mod re_authenticate;
mod saml;
mod second_factor;
mod sessions;
mod set_password;
mod sign_in;
mod sign_out;
mod totp;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use super::OwnKeys;
use super::sign_in::SignIns;
use crate::cache::RoleTables;

/// Longest form, in bytes: one that is kept, and what asks for a password. Most routes take less.
const MAX_FORM: usize = 64 * 1024;

/// Longest form with a SAML message, in bytes: it is in base64, and percent-encoded.
const MAX_MESSAGE: usize = 512 * 1024;

/// What the pages work with.
#[derive(Clone, Debug)]
pub struct Pages {
    /// Signs people in; `None`: nobody signs in here.
    pub sign_ins: Option<SignIns>,
    /// Who may do what.
    pub tables: Arc<RoleTables>,
    /// Makes and revokes the keys of people.
    pub own_keys: OwnKeys,
}

/// All pages.
pub fn router(pages: Pages) -> Router {
    let assets = Router::new()
        .route(
            "/.portcullis/assets/portcullis.css",
            get(assets::stylesheet),
        )
        .route("/.portcullis/assets/passkeys.js", get(assets::passkeys))
        .route("/.portcullis/assets/onward.js", get(assets::onward));
    if pages.sign_ins.is_none() {
        return assets;
    }
    Router::new()
        .route(
            "/.portcullis/sign-in",
            get(sign_in::form).post(sign_in::submit),
        )
        .route(
            "/.portcullis/re-authenticate",
            get(re_authenticate::form).post(re_authenticate::submit),
        )
        .route("/.portcullis/re-authenticate/form", post(kept::submit))
        .route(
            "/.portcullis/set-password",
            get(set_password::form).post(set_password::submit),
        )
        .route(
            "/.portcullis/forgotten-password",
            get(forgotten::form).post(forgotten::submit),
        )
        .route("/.portcullis/sign-in/with/{provider}", get(provider::leave))
        .route("/.portcullis/sign-in/at/{tenant}", get(at_tenant::show))
        .route("/.portcullis/callback/{provider}", get(provider::arrive))
        .route(
            "/.portcullis/callback/{provider}/logout",
            post(provider::signed_out),
        )
        .route("/.portcullis/sign-out", post(sign_out::submit))
        .route("/.portcullis/account", get(account::show))
        .route(
            "/.portcullis/account/project",
            get(project::form).post(project::submit),
        )
        .route(
            "/.portcullis/account/keys",
            get(keys::show).post(new_key::submit),
        )
        .route("/.portcullis/account/keys/{key}/revoke", post(keys::revoke))
        .route("/.portcullis/account/sessions", get(sessions::show))
        .route(
            "/.portcullis/account/sessions/{session}/end",
            post(sessions::end),
        )
        .route(
            "/.portcullis/account/password",
            get(password::form).post(password::submit),
        )
        .merge(factors())
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .merge(from_providers())
        .layer(from_fn(answer::guarded))
        .with_state(pages)
        .merge(assets)
}

/// What other sites send people's browsers with.
fn from_providers() -> Router<Pages> {
    Router::new()
        .route("/.portcullis/saml/{provider}/metadata", get(saml::metadata))
        .route("/.portcullis/saml/{provider}/acs", post(saml::acs))
        .route(
            "/.portcullis/saml/{provider}/slo",
            get(saml::slo).post(saml::slo_form),
        )
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
}

/// Second factors: proving one, and setting them up.
fn factors() -> Router<Pages> {
    Router::new()
        .route("/.portcullis/sign-in/passkey", post(passkeys::sign_in))
        .route(
            "/.portcullis/sign-in/passkey/question",
            post(passkeys::question_to_anybody),
        )
        .route(
            "/.portcullis/second-factor",
            get(second_factor::form).post(second_factor::submit),
        )
        .route(
            "/.portcullis/second-factor/passkey",
            post(second_factor::question),
        )
        .route("/.portcullis/account/factors", get(factors::show))
        .route(
            "/.portcullis/account/factors/recovery-codes",
            post(factors::new_codes),
        )
        .route(
            "/.portcullis/account/factors/totp",
            get(totp::form).post(totp::submit),
        )
        .route(
            "/.portcullis/account/factors/totp/remove",
            post(factors::remove_totp),
        )
        .route("/.portcullis/account/factors/passkeys", post(passkeys::add))
        .route(
            "/.portcullis/account/factors/passkeys/question",
            post(passkeys::question_for_new),
        )
        .route(
            "/.portcullis/account/factors/passkeys/{passkey}/remove",
            post(factors::remove_passkey),
        )
}
