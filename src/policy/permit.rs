//! The outcome that lets a request through.

use std::sync::Arc;

use super::{
    Grant, Named, RoleTable, Route, Sight, Subject,
    decide::{Facts, Verdict},
};
use crate::domain::{Owner, Project, ResourceRef, Tenant};

/// A permitted request. Only [`super::decide`] makes one, and the upstream request
/// is built from it: code that forwards without a permit does not compile.
#[derive(Debug)]
pub struct Permit {
    facts: Facts,
    route: Arc<Route>,
    roles: Vec<Grant>,
    granted_by: Option<Grant>,
    sight: Option<Box<Sight>>,
}

impl Permit {
    pub(super) fn new(facts: Facts, verdict: Verdict) -> Self {
        Self {
            facts,
            route: verdict.route,
            roles: verdict.roles,
            granted_by: verdict.granted_by,
            sight: verdict.sight,
        }
    }

    /// The route that matched.
    #[must_use]
    pub const fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// All that was found out.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Gives the permit up for what was found out.
    #[must_use]
    pub fn into_facts(self) -> Facts {
        self.facts
    }

    /// Who; `None` for a stranger on a public route.
    #[must_use]
    pub const fn subject(&self) -> Option<&Subject> {
        self.facts.subject.as_ref()
    }

    /// In which tenant.
    #[must_use]
    pub const fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.facts.tenant.as_ref()
    }

    /// In which project.
    #[must_use]
    pub const fn project(&self) -> Option<&Arc<Project>> {
        self.facts.project.as_ref()
    }

    /// On what, where the route says.
    #[must_use]
    pub const fn resource(&self) -> Option<&ResourceRef> {
        self.facts.resource.as_ref()
    }

    /// The roles that count here.
    #[must_use]
    pub fn roles(&self) -> &[Grant] {
        &self.roles
    }

    /// The role that granted the permission; `None` where none was needed.
    #[must_use]
    pub const fn granted_by(&self) -> Option<&Grant> {
        self.granted_by.as_ref()
    }

    /// Whether an item of the answer's list stays in it: by the table as it is now, the
    /// caller may see it. Nothing stays where the route filters nothing.
    #[must_use]
    pub fn sees(&self, table: &RoleTable, named: &Named, owner: &Owner) -> bool {
        match (&self.sight, self.subject()) {
            (Some(sight), Some(subject)) => sight.sees(table, subject, &self.route, (named, owner)),
            _ => false,
        }
    }
}
