//! Objects that a request names: whose they are decides the project.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use uuid::Uuid;

use super::super::condition::Thing;
use super::super::find_scope::names_no_other;
use super::super::{DenialReason, Grant, Question, Route};
use super::{Case, reading};
use crate::domain::{Owner, Project, ProjectId, Scope};

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
    let same = names_no_other(question.table, case.claim.subject, project, name)?;
    same.then(|| Arc::clone(project))
        .ok_or(DenialReason::ResourceUnknown)
}

/// The claim must be good on every one, and on what the request makes besides.
pub(super) fn permitted<'q>(
    case: Case<'q>,
    project: Option<&'q Project>,
) -> Result<Option<&'q Grant>, DenialReason> {
    let mut first = None;
    let objects = case.question.objects.unwrap_or_default();
    for (named, owner) in objects.enforced() {
        let owner = owner.ok_or(DenialReason::ResourceUnknown)?;
        let thing = Thing::Known {
            kind: &named.kind,
            id: &named.id,
            labels: &owner.labels,
        };
        let grant = case.claim.on(project, Some(owner.resource), thing)?;
        first = first.or(grant);
    }
    if !case.route.objects.creates.is_empty() {
        case.claim
            .on(project, None, made(case.question, case.route))?;
    }
    Ok(first)
}

/// What the request makes, if its route makes something.
pub(super) fn made<'q>(question: &Question<'q>, route: &'q Route) -> Thing<'q> {
    static NO_LABELS: LazyLock<BTreeMap<String, String>> = LazyLock::new(BTreeMap::new);
    let Some(rule) = route.objects.creates.first() else {
        return Thing::Nothing;
    };
    let labelled = route.objects.creates.iter().any(|it| !it.labels.is_empty());
    let told = question.objects.and_then(|objects| objects.made);
    match told {
        None if labelled => Thing::Unclear,
        told => Thing::Known {
            kind: &rule.kind,
            id: "",
            labels: told.unwrap_or(&NO_LABELS),
        },
    }
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
    let subject = case.claim.subject;
    let role = case.question.table.admits(subject.principal.id, scope);
    subject.credential.admits(project) & role & owner.is_some()
}
