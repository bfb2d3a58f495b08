//! The decision: the only maker of a [`Permit`].

use std::sync::Arc;

use super::{
    Authentication, Denial, DenialReason, Grant, Lookup, Permit, Question, Requirement, Route,
    Sight, Subject,
    find_scope::{Entry, find_project, named_project},
};
use crate::domain::{Permission, PermissionIndex, Project, ResourceRef, RoleScope, Tenant};

mod objects;
mod reading;
mod rights;

pub(super) use rights::{may, scope_of};

/// What was found on the way to the verdict, for the audit event of a denial too.
#[derive(Debug, Default, Clone)]
pub struct Facts {
    /// The route.
    pub route: Option<Arc<Route>>,
    /// Who.
    pub subject: Option<Subject>,
    /// In which tenant.
    pub tenant: Option<Arc<Tenant>>,
    /// In which project.
    pub project: Option<Arc<Project>>,
    /// On what.
    pub resource: Option<ResourceRef>,
}

impl Facts {
    fn of(question: &Question<'_>) -> Self {
        let subject = match question.authentication {
            Authentication::Authenticated(subject) => Some(subject.clone()),
            _ => None,
        };
        Self {
            subject,
            ..Self::default()
        }
    }

    fn set_project(&mut self, question: &Question<'_>, project: Arc<Project>) {
        self.tenant = question.table.tenant(project.tenant).cloned();
        self.project = Some(project);
    }
}

/// Permit or denial; nothing else exists.
#[derive(Debug)]
pub enum Decision {
    /// Forward it.
    Permitted(Permit),
    /// Refuse it.
    Denied(Denial, Facts),
}

/// Refuses what can be refused before the body is read and owners are asked for.
///
/// Never the last word: [`decide`] judges all of it again, with the owners.
///
/// # Errors
///
/// The denial, and what was found on the way to it.
pub fn screen(question: &Question<'_>) -> Result<(), Box<(Denial, Facts)>> {
    let mut facts = Facts::of(question);
    let verdict = match &question.lookup {
        Lookup::Found { route, .. } if route.names_objects() => screened(question, &mut facts),
        _ => judge(question, &mut facts).map(drop),
    };
    verdict.map_err(|reason| Box::new((Denial::new(reason), facts)))
}

/// Decides.
#[must_use]
pub fn decide(question: &Question<'_>) -> Decision {
    let mut facts = Facts::of(question);
    match judge(question, &mut facts) {
        Ok(verdict) => Decision::Permitted(Permit::new(facts, verdict)),
        Err(reason) => Decision::Denied(Denial::new(reason), facts),
    }
}

/// What a permit holds beyond the facts.
pub(super) struct Verdict {
    pub(super) route: Arc<Route>,
    pub(super) roles: Vec<Grant>,
    pub(super) granted_by: Option<Grant>,
    pub(super) sight: Option<Box<Sight>>,
}

impl Verdict {
    fn new(route: &Arc<Route>, roles: Vec<Grant>) -> Self {
        Self {
            route: Arc::clone(route),
            roles,
            granted_by: None,
            sight: None,
        }
    }
}

/// What is about to be judged, once it is clear that there is something to judge.
#[derive(Clone, Copy)]
struct Case<'q> {
    question: &'q Question<'q>,
    route: &'q Arc<Route>,
    subject: &'q Subject,
}

/// Whether the principal may ask at all, whosever the objects are.
fn screened(question: &Question<'_>, facts: &mut Facts) -> Result<(), DenialReason> {
    if is_public(question, facts)? {
        return Ok(());
    }
    let case = open_case(question, facts)?;
    match &case.route.requirement {
        Requirement::Permission { name, index } => rights::somewhere(case, (name, *index)),
        _ => Ok(()),
    }
}

fn judge(question: &Question<'_>, facts: &mut Facts) -> Result<Verdict, DenialReason> {
    if is_public(question, facts)? {
        let route = facts.route.as_ref().ok_or(DenialReason::Internal)?;
        return Ok(Verdict::new(route, Vec::new()));
    }
    let case = open_case(question, facts)?;
    let place = locate(case, facts)?;
    let (mut verdict, wanted) = match &case.route.requirement {
        Requirement::Permission { name, index } => {
            let wanted = (name, *index);
            (permission(case, facts, &place, wanted)?, Some(wanted))
        }
        Requirement::Authenticated => (rights::unasked(case, facts), None),
        // Both were answered above.
        Requirement::Public { .. } | Requirement::Deny { .. } => {
            return Err(DenialReason::Internal);
        }
    };
    if !case.route.objects.filters.is_empty() {
        let project = facts.project.as_ref().map(|project| project.id);
        let wanted = wanted.map(|(name, index)| (name.clone(), index));
        verdict.sight = Some(Box::new(Sight::new(wanted, project)));
    }
    Ok(verdict)
}

/// Whether anybody may, who sends no credential that proves nothing.
fn is_public(question: &Question<'_>, facts: &mut Facts) -> Result<bool, DenialReason> {
    let Lookup::Found { route, .. } = &question.lookup else {
        return Ok(false);
    };
    facts.route = Some(Arc::clone(route));
    if !matches!(route.requirement, Requirement::Public { .. }) {
        return Ok(false);
    }
    match question.authentication {
        Authentication::NotPresented | Authentication::Authenticated(_) => Ok(true),
        Authentication::Rejected(why) => Err(DenialReason::Rejected(*why)),
        Authentication::Unavailable => Err(DenialReason::TruthUnavailable),
    }
}

fn open_case<'q>(question: &'q Question<'q>, facts: &mut Facts) -> Result<Case<'q>, DenialReason> {
    let subject = known(question.authentication)?;
    let route = routed(&question.lookup)?;
    if let Requirement::Deny { reason } = &route.requirement {
        return Err(DenialReason::DeniedRoute(Arc::clone(reason)));
    }
    facts.resource = reading::resource(question, route)?;
    Ok(Case {
        question,
        route,
        subject,
    })
}

/// Strangers learn nothing of the routes: they are asked who they are first.
const fn known(authentication: &Authentication) -> Result<&Subject, DenialReason> {
    match authentication {
        Authentication::Authenticated(subject) => Ok(subject),
        Authentication::NotPresented => Err(DenialReason::Unauthenticated),
        Authentication::Rejected(why) => Err(DenialReason::Rejected(*why)),
        Authentication::Unavailable => Err(DenialReason::TruthUnavailable),
    }
}

fn routed<'q>(lookup: &'q Lookup<'_>) -> Result<&'q Arc<Route>, DenialReason> {
    match lookup {
        Lookup::Found { route, .. } => Ok(route),
        Lookup::WrongMethod { allowed } => Err(DenialReason::WrongMethod(allowed.clone())),
        Lookup::NotFound => Err(DenialReason::NoRoute),
    }
}

/// What the request turned out to be about.
enum Place {
    /// Objects, which decide the project.
    Objects,
    /// A list, from which goes what the caller may not see: of one project if one is named,
    /// else of all.
    List,
    /// Neither: the project is all there is, if there is one.
    Project,
}

/// Finds tenant and project. Only where a permission is asked for in one must there be one;
/// elsewhere it is told to the backend if it is known.
fn locate(case: Case<'_>, facts: &mut Facts) -> Result<Place, DenialReason> {
    let Case {
        question,
        route,
        subject,
    } = case;
    if objects::any(case)? {
        facts.set_project(question, objects::project(case)?);
        return Ok(Place::Objects);
    }
    let name = reading::named_project(question, route)?;
    if !route.objects.filters.is_empty() {
        if let Some(project) = named_project(question.table, subject, name, Entry::Part)? {
            facts.set_project(question, project);
        }
        return Ok(Place::List);
    }
    match find_project(question.table, subject, name) {
        Ok(project) => facts.set_project(question, project),
        Err(reason) if needs_project(route) || reason.is_refusal() => return Err(reason.into()),
        Err(_) => {}
    }
    Ok(Place::Project)
}

const fn needs_project(route: &Route) -> bool {
    matches!(route.requirement, Requirement::Permission { .. })
        && !matches!(route.scope, RoleScope::Platform)
}

/// A route that asks for a permission: on each object that it names, else in its project,
/// else, where the answer is filtered, on each item of it.
fn permission(
    case: Case<'_>,
    facts: &Facts,
    place: &Place,
    wanted: (&Permission, PermissionIndex),
) -> Result<Verdict, DenialReason> {
    match place {
        Place::Objects => objects::permitted(case, wanted),
        Place::List => {
            rights::somewhere(case, wanted)?;
            Ok(rights::unasked(case, facts))
        }
        Place::Project => {
            let scope = scope_of(case.route, facts.project.as_deref(), None);
            let scope = scope.ok_or(DenialReason::ProjectRequired)?;
            rights::permitted(case, scope, wanted)
        }
    }
}

#[cfg(test)]
mod tests;
