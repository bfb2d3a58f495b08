//! What surrounds a right: all that a condition on it can depend on.

use std::cell::OnceCell;
use std::sync::Arc;

use super::condition::{RequestFacts, Thing};
use super::{Question, RoleTable};
use crate::domain::{Principal, Project, Tenant};

/// Where a condition is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Who asks.
    pub(super) principal: &'a Principal,
    /// In which tenant, if in one.
    pub(super) tenant: Option<&'a Tenant>,
    /// In which project, if in one.
    pub(super) project: Option<&'a Project>,
    /// On what.
    pub(super) thing: Thing<'a>,
    /// How.
    pub(super) request: &'a Asked<'a>,
}

/// A request for conditions: read only if there is one.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// As it stands in the question.
    Now(&'a Question<'a>, OnceCell<Box<RequestFacts>>),
    /// As it was.
    Then(&'a RequestFacts),
}

impl<'a> Asked<'a> {
    pub(super) const fn now(question: &'a Question<'a>) -> Self {
        Self::Now(question, OnceCell::new())
    }

    pub(super) fn facts(&self) -> &RequestFacts {
        match self {
            Self::Now(question, facts) => {
                facts.get_or_init(|| Box::new(RequestFacts::of(question)))
            }
            Self::Then(facts) => facts,
        }
    }
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        table: &'a RoleTable,
        principal: &'a Principal,
        project: Option<&'a Project>,
        request: &'a Asked<'a>,
    ) -> Self {
        let tenant = project.and_then(|project| table.tenant(project.tenant));
        Self {
            principal,
            tenant: tenant.map(Arc::as_ref),
            project,
            thing: Thing::Nothing,
            request,
        }
    }

    pub(super) const fn with(self, thing: Thing<'a>) -> Self {
        Self { thing, ..self }
    }
}
