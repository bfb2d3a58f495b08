//! Objects that a request names: whose they are decides the project.

use std::sync::Arc;

use uuid::Uuid;

use super::super::find_scope::names_no_other;
use super::super::{DenialReason, Question};
use super::{Case, Verdict, reading, rights, scope_of};
use crate::domain::{Owner, Permission, PermissionIndex, Project, ProjectId, Scope};

/// Whether there is an object to check.
///
/// A route that names objects is not judged before it was asked which: forgetting to ask
/// must not let a request pass.
pub(super) fn any(case: Case<'_>) -> Result<bool, DenialReason> {
    match case.question.objects {
        Some(objects) => Ok(objects.enforced().next().is_some()),
        None if case.route.reads_objects() => Err(DenialReason::Internal),
        None => Ok(false),
    }
}

/// The project to which all of them belong, if it is open to the principal and no other is
/// named. Otherwise there is one answer for all: whether an object does not exist, is
/// nobody's or another's is not told, and every one is looked at before it is given.
pub(super) fn project(case: Case<'_>) -> Result<Arc<Project>, DenialReason> {
    let question = case.question;
    let first = owners(question).next().flatten().map(|owner| owner.project);
    let mut open = true;
    for owner in owners(question) {
        open &= owner.is_some_and(|owner| Some(owner.project) == first);
        open &= admits(case, owner);
    }
    let project = first.and_then(|id| question.table.project(id));
    let (Some(project), true) = (project, open) else {
        return Err(DenialReason::ResourceUnknown);
    };
    let name = reading::named_project(question, case.route)?;
    let same = names_no_other(question.table, case.subject, project, name)?;
    same.then(|| Arc::clone(project))
        .ok_or(DenialReason::ResourceUnknown)
}

/// The permission must be held on every one.
pub(super) fn permitted(
    case: Case<'_>,
    wanted: (&Permission, PermissionIndex),
) -> Result<Verdict, DenialReason> {
    let mut verdict = None;
    for owner in owners(case.question) {
        let owner = owner.ok_or(DenialReason::ResourceUnknown)?;
        let project = case.question.table.project(owner.project);
        let scope = scope_of(case.route, project.map(Arc::as_ref), Some(owner.resource));
        let scope = scope.ok_or(DenialReason::ResourceUnknown)?;
        if verdict.is_none() {
            verdict = Some(rights::permitted(case, scope, wanted)?);
        } else {
            rights::may(case.question.table, case.subject, scope, wanted)?;
        }
    }
    verdict.ok_or(DenialReason::Internal)
}

fn owners<'q>(question: &'q Question<'q>) -> impl Iterator<Item = Option<&'q Owner>> {
    let objects = question.objects.unwrap_or_default();
    objects.enforced().map(|(_, owner)| owner)
}

/// Whether the principal has a role on the object and the credential admits its project.
/// Does the same work for an object that nobody owns.
fn admits(case: Case<'_>, owner: Option<&Owner>) -> bool {
    let nobodys = ProjectId(Uuid::nil());
    let project = owner.map_or(nobodys, |owner| owner.project);
    let scope = owner.map_or(Scope::Project(nobodys), |owner| Scope::Resource {
        project,
        id: owner.resource,
    });
    let credential = case.subject.credential.admits(project);
    let role = case.question.table.admits(case.subject.principal.id, scope);
    credential & role & owner.is_some()
}
