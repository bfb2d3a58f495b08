//! Roles.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod update;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::control::api::problem::Problem;
use crate::control::api::text::Text;
use crate::domain::PermissionRule;
use crate::policy::Condition;
use crate::store::api::RoleView;

/// Most patterns of a role.
const MOST: usize = 200;

/// A named set of permissions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Role {
    id: Uuid,
    name: String,
    /// Where it can be bound: `tenant` or `project`.
    scope: String,
    /// Patterns: `models:read`, `models:*`, `*:read`, `*:*`.
    permissions: Vec<String>,
    /// Whether it comes with Portcullis.
    built_in: bool,
    created_at: DateTime<Utc>,
}

impl From<RoleView> for Role {
    fn from(view: RoleView) -> Self {
        Self {
            id: view.id,
            name: view.name,
            scope: view.scope,
            permissions: view.permissions,
            built_in: view.built_in,
            created_at: view.created_at,
        }
    }
}

/// `{role}` in a path.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    role: String,
}

fn refuse_built_in(role: &RoleView) -> Result<(), Problem> {
    if role.built_in {
        let detail = format!("`{}` comes with Portcullis.", role.name);
        return Err(Problem::conflict("built_in", detail));
    }
    Ok(())
}

fn patterns(texts: Vec<Text<130>>) -> Result<Vec<String>, Problem> {
    if texts.is_empty() || texts.len() > MOST {
        let detail = format!("A role has 1 to {MOST} patterns.");
        return Err(Problem::refused("invalid", detail));
    }
    let lines: Vec<String> = texts.into_iter().map(|Text(text)| text).collect();
    for condition in lines
        .iter()
        .filter_map(|line| PermissionRule::parse(line).condition)
    {
        let compiled = Condition::compile(condition);
        compiled.map_err(|error| Problem::refused("condition_invalid", error.to_string()))?;
    }
    Ok(lines)
}
