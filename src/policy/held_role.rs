//! Roles and grants as a decision sees them.

use std::sync::Arc;

use ahash::AHashMap;

use super::{Condition, Scene};
use crate::domain::{
    BindingId, Catalogue, Effect, PermissionIndex, PermissionRule, PermissionSet, Role, Scope,
};

/// A role as a decision sees it.
#[derive(Debug)]
pub struct HeldRole {
    /// Its name.
    pub name: String,
    /// What it grants always.
    always: PermissionSet,
    /// All that it grants, be it under a condition.
    ever: PermissionSet,
    /// What it grants under a condition or takes away.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    effect: Effect,
    permissions: PermissionSet,
    condition: Option<Arc<Condition>>,
}

/// One role held by a principal at one scope.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Where it holds.
    pub scope: Scope,
    /// The role.
    pub role: Arc<HeldRole>,
    /// The binding that gives it; `None` for a project's owner.
    pub binding: Option<BindingId>,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// Counts only while this holds.
    pub condition: Option<Arc<Condition>>,
}

/// Conditions by their texts: thousands of bindings share a few.
#[derive(Debug, Default)]
pub(super) struct Conditions(AHashMap<Box<str>, Arc<Condition>>);

impl Conditions {
    /// Compiles one. A text that is no condition never grants and always denies.
    pub(super) fn compile(&mut self, text: &str) -> Arc<Condition> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let condition = Condition::compile(text).unwrap_or_else(|error| {
            tracing::warn!(condition = text, %error, "a condition cannot be read: it never grants and always denies");
            Condition::broken(text)
        });
        let condition = Arc::new(condition);
        self.0.insert(text.into(), Arc::clone(&condition));
        condition
    }
}

impl HeldRole {
    /// Expands a role. Patterns that match nothing are returned with it.
    pub(super) fn compile<'r>(
        role: &'r Role,
        catalogue: &Catalogue,
        conditions: &mut Conditions,
    ) -> (Self, Vec<&'r str>) {
        let mut held = Self {
            name: role.name.clone(),
            always: PermissionSet::default(),
            ever: PermissionSet::default(),
            parts: Vec::new(),
        };
        let mut unknown = Vec::new();
        for line in &role.permissions {
            let parsed = PermissionRule::parse(line);
            let (permissions, missing) = catalogue.expand([parsed.pattern]);
            unknown.extend(missing);
            held.add(parsed, permissions, conditions);
        }
        (held, unknown)
    }

    fn add(
        &mut self,
        rule: PermissionRule<'_>,
        permissions: PermissionSet,
        conditions: &mut Conditions,
    ) {
        if rule.effect == Effect::Allow {
            self.ever.add(&permissions);
        }
        match (rule.effect, rule.condition) {
            (Effect::Allow, None) => self.always.add(&permissions),
            (effect, condition) => self.parts.push(Part {
                effect,
                permissions,
                condition: condition.map(|text| conditions.compile(text)),
            }),
        }
    }

    /// All that it grants, be it under a condition.
    pub(super) const fn ever(&self) -> &PermissionSet {
        &self.ever
    }

    /// Whether it grants the permission; `in_doubt` is what counts where a condition is not
    /// clear.
    fn gives(&self, permission: PermissionIndex, scene: &Scene<'_>, in_doubt: bool) -> bool {
        self.always.contains(permission)
            || self.any_part(Effect::Allow, permission, scene, in_doubt)
    }

    /// Whether it takes the permission away, whoever grants it.
    fn takes(&self, permission: PermissionIndex, scene: &Scene<'_>) -> bool {
        self.any_part(Effect::Deny, permission, scene, true)
    }

    fn any_part(
        &self,
        effect: Effect,
        permission: PermissionIndex,
        scene: &Scene<'_>,
        in_doubt: bool,
    ) -> bool {
        let parts = self.parts.iter().filter(|part| part.effect == effect);
        let mut touching = parts.filter(|part| part.permissions.contains(permission));
        touching.any(|part| match &part.condition {
            Some(condition) => condition.holds(scene).unwrap_or(in_doubt),
            None => true,
        })
    }
}

impl Grant {
    /// What it does with the permission here; `None`: nothing. What is not clear never
    /// grants, and always denies.
    pub(super) fn effect_on(
        &self,
        permission: PermissionIndex,
        scene: &Scene<'_>,
    ) -> Option<Effect> {
        let counts = self.counts(scene);
        match self.effect {
            _ if counts == Some(false) => None,
            Effect::Deny => {
                let denied = self.role.gives(permission, scene, true);
                denied.then_some(Effect::Deny)
            }
            Effect::Allow if self.role.takes(permission, scene) => Some(Effect::Deny),
            Effect::Allow => {
                let granted = counts.is_some() && self.role.gives(permission, scene, false);
                granted.then_some(Effect::Allow)
            }
        }
    }

    /// Whether its condition holds; `None` if that is not clear.
    pub(super) fn counts(&self, scene: &Scene<'_>) -> Option<bool> {
        match &self.condition {
            Some(condition) => condition.holds(scene).ok(),
            None => Some(true),
        }
    }
}
