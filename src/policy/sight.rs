//! What the caller of a filtered list may see of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::condition::{RequestFacts, Thing};
use super::decide::{Claim, Standing};
use super::{Asked, Authentication, Named, Question, Requirement, RoleTable, Route, Subject};
use crate::domain::{Owner, ProjectId, Scope};

/// Which items stay in a filtered answer. Part of a permit: judges each by the same code as
/// the decision itself.
#[derive(Debug)]
pub struct Sight {
    request: RequestFacts,
    /// The only project that was asked about; `None`: every one.
    project: Option<ProjectId>,
    /// That of the caller's session, if they have one.
    standing: Option<Standing>,
    /// When it was asked.
    at: DateTime<Utc>,
}

impl Sight {
    pub(super) fn new(question: &Question<'_>, project: Option<ProjectId>) -> Self {
        let standing = match question.authentication {
            Authentication::Authenticated(subject) => {
                Standing::of(subject, question.circumstances.at)
            }
            _ => None,
        };
        Self {
            standing,
            at: question.circumstances.at,
            request: RequestFacts::of(question),
            project,
        }
    }

    pub(super) fn sees(
        &self,
        table: &RoleTable,
        subject: &Subject,
        route: &Route,
        (named, owner): (&Named, &Owner),
    ) -> bool {
        let asked = self.project.is_none_or(|project| project == owner.project);
        let Some(project) = table.project(owner.project).map(Arc::as_ref) else {
            return false;
        };
        let object = Scope::Resource {
            project: project.id,
            id: owner.resource,
        };
        if !asked
            || !subject.credential.admits(project.id)
            || !table.admits(subject.principal.id, object)
        {
            return false;
        }
        let tenant = table.tenant(project.tenant).map(Arc::as_ref);
        let stands = |it: &Standing| it.suffices(route, tenant, Some(project)).is_ok();
        if !self.standing.as_ref().is_none_or(stands) {
            return false;
        }
        if let (Some(key), Some(tenant)) = (&subject.credential.key, tenant)
            && key.suffice(tenant, self.at).is_err()
        {
            return false;
        }
        let claim = Claim {
            table,
            subject,
            route,
            wanted: match &route.requirement {
                Requirement::Permission { name, index } => Some((name, *index)),
                _ => None,
            },
            asked: &Asked::Then(&self.request),
        };
        let thing = Thing::Known {
            kind: &named.kind,
            id: &named.id,
            labels: &owner.labels,
        };
        claim.on(Some(project), Some(owner.resource), thing).is_ok()
    }
}
