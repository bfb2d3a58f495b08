//! OAuth 2.0: keys of service accounts are exchanged for access tokens.
//!
//! | file | what |
//! |---|---|
//! | `client.rs` | who asks, by its key |
//! | `params.rs` | the form |
//! | `refused.rs` | why not, in the words of RFC 6749 |
//! | `token.rs` | a token for a key (RFC 6749 §4.4, RFC 9068) |
//! | `introspect.rs` | whether a token is good (RFC 7662) |
//! | `revoke.rs` | the end of a token (RFC 7009) |
//! | `metadata.rs` | where all this is (RFC 8414) |

mod client;
mod introspect;
mod metadata;
mod params;
mod refused;
mod revoke;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::authn::{TokenRules, Truth};
use crate::cache::{RevokedTokens, RoleTables};
use crate::clock::Clock;
use crate::domain::{Actor, Pepper, Principal};
use crate::store::{Author, Db};

/// Longest form, in bytes.
const MAX_BODY: usize = 16 << 10;
/// Keys of forms that are looked up at once: a flood of invented ones must not take all of the
/// database's connections.
const CONCURRENT_LOOKUPS: usize = 4;

/// What the endpoints work with.
#[derive(Clone, Debug)]
pub struct OAuthDesk {
    db: Db,
    tables: Arc<RoleTables>,
    revoked: Arc<RevokedTokens>,
    pepper: Pepper,
    clock: Clock,
    rules: TokenRules,
    lookups: Arc<Semaphore>,
}

impl OAuthDesk {
    /// One that knows this, and gives tokens by these rules.
    #[must_use]
    pub fn new(truth: &Truth, rules: TokenRules) -> Self {
        Self {
            db: truth.db.clone(),
            tables: Arc::clone(&truth.tables),
            revoked: Arc::clone(&truth.revoked),
            pepper: truth.pepper.clone(),
            clock: truth.clock.clone(),
            rules,
            lookups: Arc::new(Semaphore::new(CONCURRENT_LOOKUPS)),
        }
    }

    /// In the name of a client.
    fn author(&self, principal: &Principal) -> Author {
        let actor = Actor {
            kind: principal.kind.as_str(),
            id: Some(principal.id.to_string()),
            email: principal.email.clone(),
        };
        Author::new(actor, self.clock.clone(), StdRng::from_os_rng())
    }
}

pub(super) fn router(desk: OAuthDesk) -> Router {
    Router::new()
        .route("/.portcullis/oauth2/token", post(token::handle))
        .route("/.portcullis/oauth2/introspect", post(introspect::handle))
        .route("/.portcullis/oauth2/revoke", post(revoke::handle))
        .layer(map_response(async |response| never_kept(response)))
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::handle),
        )
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(desk)
}

fn json(value: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, value.to_string()).into_response()
}

/// Nobody on the way keeps an answer.
fn never_kept(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
