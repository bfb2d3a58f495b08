//! The endpoints: a folder a kind of thing, a file an endpoint.

pub(super) mod bindings;
pub(super) mod events;
pub(super) mod keys;
pub(super) mod me;
pub(super) mod members;
pub(super) mod openapi;
pub(super) mod projects;
pub(super) mod resources;
pub(super) mod roles;
pub(super) mod tenants;

use super::problem::Problem;
use crate::domain::{Principal, PrincipalName};
use crate::store::StoreError;
use crate::store::api::ApiTx;

/// Where all of them are.
const PREFIX: &str = "/.portcullis/api/v1";

/// A principal named in a body. There are no invitations: somebody unknown is refused.
async fn known(tx: &mut ApiTx, name: &PrincipalName) -> Result<Principal, Problem> {
    match tx.principal_named(name).await {
        Ok(found) if found.disabled => {
            let detail = format!("`{name}` is disabled.");
            Err(Problem::refused("principal_disabled", detail))
        }
        Ok(found) => Ok(found),
        Err(StoreError::NotFound { .. }) => {
            let detail = format!("Nobody here is called `{name}`; a user has to be made first.");
            Err(Problem::refused("principal_unknown", detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// What a body names and is not there.
fn unknown(error: StoreError, code: &'static str) -> Problem {
    match error {
        StoreError::NotFound { .. } => Problem::refused(code, error.to_string()),
        other => other.into(),
    }
}
