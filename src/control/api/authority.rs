//! Nobody gives away more than they hold.

use super::Api;
use super::caller::Caller;
use super::problem::Problem;
use crate::cache::RoleTables;
use crate::domain::{Effect, PermissionRule, PermissionSet, PrincipalId, Role, Scope};
use crate::policy::{CredentialLimits, Grant};

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

    /// Refuses what the caller does not surely hold at this scope: what depends on conditions,
    /// or may be denied, is not theirs to give.
    pub(super) fn covers(&self, given: &PermissionSet, scope: Scope) -> Result<(), Problem> {
        let own = limited(self.surely_held(scope), &self.caller.limits, scope);
        if own.contains_all(given) {
            return Ok(());
        }
        let detail = "This gives away or takes away more than you hold there.";
        Err(Problem::beyond_authority(detail))
    }

    fn surely_held(&self, scope: Scope) -> PermissionSet {
        let table = self.tables.current();
        let (mut held, mut taken) = (PermissionSet::default(), PermissionSet::default());
        for grant in table.grants_covering(self.caller.principal.id, scope) {
            if let Some(given) = grant.surely_gives() {
                held.add(given);
            }
            taken.add(&grant.may_take());
        }
        held.remove(&taken);
        held
    }

    /// Whether a key that the caller makes is thereby approved.
    pub(super) fn approves_keys(&self, scope: Scope) -> bool {
        self.covers_patterns(&["keys:approve".to_owned()], scope)
            .is_ok()
    }

    /// All that the roles of a principal may come to hold at this scope.
    pub(super) fn held(&self, who: PrincipalId, scope: Scope) -> PermissionSet {
        let table = self.tables.current();
        let mut held = PermissionSet::default();
        let grants = table.grants_covering(who, scope);
        grants
            .filter_map(Grant::may_give)
            .for_each(|it| held.add(it));
        held
    }

    /// All that lines of a role may come to give.
    pub(super) fn expand(&self, lines: &[String]) -> PermissionSet {
        self.lines(lines, Effect::Allow)
    }

    /// Refuses to change what a role takes away from those who have it, unless the caller
    /// holds all of that: whoever is not denied it any more may then do it, and whoever is from
    /// now on may not.
    pub(super) fn covers_denials(
        &self,
        (former, new): (&[String], &[String]),
        scope: Scope,
    ) -> Result<(), Problem> {
        let (former, new) = (
            self.lines(former, Effect::Deny),
            self.lines(new, Effect::Deny),
        );
        let (mut lifted, mut imposed) = (former.clone(), new.clone());
        lifted.remove(&new);
        imposed.remove(&former);
        self.covers(&lifted, scope)?;
        self.covers(&imposed, scope)
    }

    /// Refuses to take a role from somebody who may then do what it denies them, unless the
    /// caller holds that.
    pub(super) fn covers_release(
        &self,
        who: PrincipalId,
        role: &Role,
        scope: Scope,
    ) -> Result<(), Problem> {
        let table = self.tables.current();
        let mut freed = PermissionSet::default();
        let others = table.grants_of(who).filter(|it| it.role.name != role.name);
        others
            .filter_map(Grant::may_give)
            .for_each(|it| freed.add(it));
        freed.retain(&self.lines(&role.permissions, Effect::Deny));
        self.covers(&freed, scope)
    }

    fn lines(&self, lines: &[String], effect: Effect) -> PermissionSet {
        let rules = lines.iter().map(|line| PermissionRule::parse(line));
        let patterns = rules
            .filter(|rule| rule.effect == effect)
            .map(|rule| rule.pattern);
        self.tables.catalogue().expand(patterns).0
    }

    /// Whether a role takes something away from whoever has it.
    pub(super) fn takes(role: &Role) -> bool {
        let mut rules = role
            .permissions
            .iter()
            .map(|line| PermissionRule::parse(line));
        rules.any(|rule| rule.effect == Effect::Deny)
    }
}

/// What is left of it with a credential.
fn limited(mut held: PermissionSet, limits: &CredentialLimits, scope: Scope) -> PermissionSet {
    let admitted = match (scope, &limits.projects) {
        (_, None) => true,
        (Scope::Project(project) | Scope::Resource { project, .. }, Some(_)) => {
            limits.admits(project)
        }
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
