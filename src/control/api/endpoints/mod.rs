//! The endpoints: a folder a kind of thing, a file an endpoint.

pub(super) mod bindings;
pub(super) mod events;
pub(super) mod key_rules;
pub(super) mod keys;
pub(super) mod me;
pub(super) mod members;
pub(super) mod openapi;
pub(super) mod projects;
pub(super) mod providers;
pub(super) mod resources;
pub(super) mod roles;
pub(super) mod session_rules;
pub(super) mod tenants;

use super::Api;
use super::problem::Problem;
use crate::domain::{Principal, PrincipalName, TenantId};
use crate::store::StoreError;

/// Where all of them are.
const PREFIX: &str = "/.portcullis/api/v1";

/// A principal named in a body. There are no invitations: somebody unknown is refused, and so
/// is a service account of another tenant, in the same words.
///
/// Asked as the gateway: a tenant does not see users who are not in it yet.
async fn known(api: &Api, tenant: TenantId, name: &PrincipalName) -> Result<Principal, Problem> {
    let stranger = || {
        let detail = format!("Nobody here is called `{name}`; a user has to be made first.");
        Problem::refused("principal_unknown", detail)
    };
    match api.db.principal(name).await {
        Ok(found) if found.tenant.is_some_and(|home| home != tenant) => Err(stranger()),
        Ok(found) if found.disabled => {
            let detail = format!("`{name}` is disabled.");
            Err(Problem::refused("principal_disabled", detail))
        }
        Ok(found) => Ok(found),
        Err(StoreError::NotFound { .. }) => Err(stranger()),
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
