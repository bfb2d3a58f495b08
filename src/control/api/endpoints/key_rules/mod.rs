//! Key rules of tenants.

pub(crate) mod put;
pub(crate) mod read;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::api::problem::Problem;
use crate::domain;

/// What a tenant asks of the keys that it is used with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyRules {
    /// After how many days a key ends for which nobody has said when.
    default_days: Option<u16>,
    /// For how many days a key is good here, whatever it says itself.
    max_days: Option<u16>,
    /// Whether a new key opens nothing here before somebody has approved it.
    approval: bool,
    /// Keys made before open nothing here: all of them were revoked in one call.
    not_before: Option<DateTime<Utc>>,
}

/// What a tenant is to ask.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKeyRules {
    /// After how many days a key ends for which nobody has said when; null: never.
    #[schema(minimum = 1, maximum = 3650)]
    default_days: Option<u16>,
    /// For how many days a key is good here, whatever it says itself; null: for any number.
    #[schema(minimum = 1, maximum = 3650)]
    max_days: Option<u16>,
    /// Whether keys that are made from now on open nothing here before somebody approves them.
    #[serde(default)]
    approval: bool,
}

impl From<domain::KeyRules> for KeyRules {
    fn from(rules: domain::KeyRules) -> Self {
        Self {
            default_days: rules.default_days,
            max_days: rules.max_days,
            approval: rules.approval_since.is_some(),
            not_before: rules.not_before,
        }
    }
}

impl NewKeyRules {
    /// Instead of these. What has been asked for goes on being asked for since then.
    fn instead_of(
        self,
        former: &domain::KeyRules,
        now: DateTime<Utc>,
    ) -> Result<domain::KeyRules, Problem> {
        let since = former.approval_since.unwrap_or(now);
        let rules = domain::KeyRules {
            default_days: self.default_days,
            max_days: self.max_days,
            approval_since: self.approval.then_some(since),
            not_before: former.not_before,
        };
        let checked = rules.check();
        checked.map_err(|wrong| Problem::refused("invalid", wrong.to_string()))?;
        Ok(rules)
    }
}
