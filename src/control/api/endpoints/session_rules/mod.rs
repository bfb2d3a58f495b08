//! Session rules of tenants and projects.

pub(crate) mod of_project;
pub(crate) mod of_tenant;
pub(crate) mod put_of_project;
pub(crate) mod put_of_tenant;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::api::problem::Problem;
use crate::domain::{self, Mfa, PrincipalId};

/// What is asked of sessions. What is absent or null is not asked for. The rules of a tenant and of
/// its project hold side by side, and beside the platform's: whichever is stricter decides.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionRules {
    /// How long a session may have rested.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 43200)]
    max_idle_minutes: Option<u32>,
    /// How long ago it may have begun.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2160)]
    max_lifetime_hours: Option<u32>,
    /// How many sessions a member may have: who signs in once more ends their oldest one.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    max_concurrent_sessions: Option<u32>,
    /// One session, whatever the number above.
    #[serde(default)]
    enforce_single_device: bool,
    /// Whether sensitive operations want a recent sign-in.
    #[serde(default)]
    require_re_auth_for_sensitive_ops: bool,
    /// Which these are: names of events of routes, such as `project.deleted`.
    #[serde(default)]
    #[schema(max_items = 100)]
    sensitive_operations: Vec<String>,
    /// How recent, in seconds; 300 if nobody says.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 86400)]
    re_auth_max_age: Option<u32>,
    /// `off`, `optional` or `required`: whether two factors are asked for. Only `required` asks for
    /// anything.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(off|optional|required)$")]
    mfa: Option<Mfa>,
    /// Whether a session may be one that a password began.
    #[serde(default)]
    password_login: Option<bool>,
    /// Whether a session must be one that a sign-in provider of the tenant vouches for.
    #[serde(default)]
    enforce_sso: bool,
    /// Ids of those who may come in all the same, with two factors; each time is on record.
    #[serde(default)]
    #[schema(value_type = Vec<uuid::Uuid>, max_items = 10)]
    break_glass: Vec<PrincipalId>,
}

impl From<domain::SessionRules> for SessionRules {
    fn from(rules: domain::SessionRules) -> Self {
        Self {
            max_idle_minutes: rules.max_idle_minutes,
            max_lifetime_hours: rules.max_lifetime_hours,
            max_concurrent_sessions: rules.max_concurrent_sessions,
            enforce_single_device: rules.enforce_single_device,
            require_re_auth_for_sensitive_ops: rules.require_re_auth_for_sensitive_ops,
            sensitive_operations: rules.sensitive_operations,
            re_auth_max_age: rules.re_auth_max_age,
            mfa: rules.mfa,
            password_login: rules.password_login,
            enforce_sso: rules.enforce_sso,
            break_glass: rules.break_glass,
        }
    }
}

impl TryFrom<SessionRules> for domain::SessionRules {
    type Error = Problem;

    fn try_from(sent: SessionRules) -> Result<Self, Problem> {
        let rules = Self {
            max_idle_minutes: sent.max_idle_minutes,
            max_lifetime_hours: sent.max_lifetime_hours,
            max_concurrent_sessions: sent.max_concurrent_sessions,
            enforce_single_device: sent.enforce_single_device,
            require_re_auth_for_sensitive_ops: sent.require_re_auth_for_sensitive_ops,
            sensitive_operations: sent.sensitive_operations,
            re_auth_max_age: sent.re_auth_max_age,
            mfa: sent.mfa,
            password_login: sent.password_login,
            enforce_sso: sent.enforce_sso,
            break_glass: sent.break_glass,
        };
        let checked = rules.check();
        checked.map_err(|wrong| Problem::refused("invalid", wrong.to_string()))?;
        Ok(rules)
    }
}
