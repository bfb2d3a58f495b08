//! Nobody gives away more than they hold.

use super::Api;
use super::caller::Caller;
use super::problem::Problem;
use crate::cache::RoleTables;
use crate::domain::{PermissionSet, PrincipalId, Role, Scope};
use crate::policy::CredentialLimits;

/// What a caller may give away.
pub(super) struct Authority<'a> {
    tables: &'a RoleTables,
    caller: &'a Caller,
}

impl<'a> Authority<'a> {
    pub(super) fn of(caller: &'a Caller, api: &'a Api) -> Self {
        Self {
            tables: &api.tables,
            caller,
        }
    }

    /// Refuses a role that holds more at this scope than the caller does.
    pub(super) fn covers_role(&self, role: &Role, scope: Scope) -> Result<(), Problem> {
        self.covers_patterns(&role.permissions, scope).map_err(|_| {
            let name = &role.name;
            Problem::beyond_authority(format!("`{name}` permits more than you hold there."))
        })
    }

    /// Refuses permissions that the caller does not hold at this scope.
    pub(super) fn covers_patterns(&self, patterns: &[String], scope: Scope) -> Result<(), Problem> {
        let given = self.expand(patterns);
        self.covers(&given, scope)
    }

    /// Refuses what the caller does not hold at this scope.
    pub(super) fn covers(&self, given: &PermissionSet, scope: Scope) -> Result<(), Problem> {
        let own = limited(
            self.held(self.caller.principal.id, scope),
            &self.caller.limits,
            scope,
        );
        if own.contains_all(given) {
            return Ok(());
        }
        let detail = "This gives away or takes away more than you hold there.";
        Err(Problem::beyond_authority(detail))
    }

    /// All that the roles of a principal hold at this scope.
    pub(super) fn held(&self, who: PrincipalId, scope: Scope) -> PermissionSet {
        let table = self.tables.current();
        let mut held = PermissionSet::default();
        for grant in table.grants_covering(who, scope) {
            held.extend(grant.permissions());
        }
        held
    }

    /// What patterns stand for.
    pub(super) fn expand(&self, patterns: &[String]) -> PermissionSet {
        let patterns = patterns.iter().map(String::as_str);
        self.tables.catalogue().expand(patterns).0
    }
}

/// What is left of it with a credential.
fn limited(mut held: PermissionSet, limits: &CredentialLimits, scope: Scope) -> PermissionSet {
    let admitted = match (scope, &limits.projects) {
        (_, None) => true,
        (Scope::Project(project), Some(_)) => limits.admits(project),
        (_, Some(_)) => false,
    };
    if !admitted {
        return PermissionSet::default();
    }
    if let Some(permissions) = &limits.permissions {
        held.retain(permissions);
    }
    held
}
