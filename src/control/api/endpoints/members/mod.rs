//! Members of a project.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod remove;
pub(crate) mod update;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::unknown;
use crate::control::api::authority::Authority;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InProject;
use crate::domain::{PrincipalId, Role, RoleScope, TenantId};
use crate::store::api::{ApiTx, MemberView};

/// Who holds roles of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    id: Uuid,
    /// `user` or `service_account`.
    kind: String,
    email: Option<String>,
    name: String,
    /// Names of the roles, `owner` included. Bindings on single resources and those with
    /// conditions are not among them.
    roles: Vec<String>,
    /// When the first of these was given.
    joined_at: DateTime<Utc>,
    /// A disabled member may do nothing.
    disabled: bool,
}

impl From<MemberView> for Member {
    fn from(view: MemberView) -> Self {
        Self {
            id: view.id,
            kind: view.kind,
            email: view.email,
            name: view.name,
            roles: view.roles,
            joined_at: view.joined_at,
            disabled: view.disabled,
        }
    }
}

/// `{member}` in a path.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    member: Uuid,
}

/// A role that can be given to a member of a project.
pub(crate) async fn project_role(
    tx: &mut ApiTx,
    of: TenantId,
    name: &str,
) -> Result<Role, Problem> {
    let found = tx.role_in(of, name).await;
    let role = found.map_err(|error| unknown(error, "role_unknown"))?;
    let role = role.role(of)?;
    if role.tenant.is_none() && role.name == "owner" {
        let detail = "A project has one owner: give the project to somebody else instead.";
        return Err(Problem::refused("role_refused", detail));
    }
    if role.scope != RoleScope::Project {
        let detail = format!("`{name}` is a role of a {}.", role.scope.as_str());
        return Err(Problem::refused("role_refused", detail));
    }
    Ok(role)
}

/// What is to be taken from a member must be the caller's to give.
async fn may_take(
    tx: &mut ApiTx,
    authority: &Authority<'_>,
    place: &InProject,
    (who, roles): (PrincipalId, &[String]),
) -> Result<(), Problem> {
    for name in roles {
        let role = tx.role_in(place.tenant.id, name).await?;
        let role = role.role(place.tenant.id)?;
        authority.covers_role(&role, place.scope())?;
        authority.covers_release(who, &role, place.scope())?;
    }
    Ok(())
}
