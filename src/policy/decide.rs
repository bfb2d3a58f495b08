//! The decision: the only maker of a [`Permit`].

use std::sync::Arc;

use super::{
    Asked, Authentication, Because, Completeness, Denial, DenialReason, Grant, Lookup, Permit,
    Question, Requirement, Route, Sight, Subject,
    find_scope::{Entry, find_project, named_project},
    find_tenant::find_tenant,
    is_same_origin,
    same_origin::is_harmless,
};
use crate::domain::{Assurance, Project, ResourceRef, RoleScope, Tenant};

mod objects;
pub(super) mod reading;
mod rights;
mod standing;

pub(super) use rights::Claim;
pub use standing::Standing;

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
    /// Whether it comes from somebody who has signed in.
    #[must_use]
    pub fn has_session(&self) -> bool {
        let subject = self.subject.as_ref();
        subject.is_some_and(|subject| subject.credential.sign_in.is_some())
    }

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
        Lookup::Found { route, .. } if route.names_objects() || route.is_asked_about() => {
            screened(question, &mut facts)
        }
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

/// What is about to be judged, once it is clear that there is something to judge.
#[derive(Clone, Copy)]
struct Case<'q> {
    question: &'q Question<'q>,
    route: &'q Arc<Route>,
    claim: Claim<'q>,
}

/// Whether the principal may ask at all, whosever the objects are.
fn screened(question: &Question<'_>, facts: &mut Facts) -> Result<(), DenialReason> {
    if is_public(question, facts)? {
        return Ok(());
    }
    open_case(question, &Asked::now(question), facts)?
        .claim
        .somewhere()
}

fn judge(question: &Question<'_>, facts: &mut Facts) -> Result<Verdict, DenialReason> {
    if is_public(question, facts)? {
        let route = facts.route.clone().ok_or(DenialReason::Internal)?;
        return Ok(Verdict {
            route,
            roles: Vec::new(),
            granted_by: None,
            sight: None,
        });
    }
    let asked = Asked::now(question);
    let case = open_case(question, &asked, facts)?;
    let place = locate(case, facts)?;
    let project = facts.project.clone();
    let project = project.as_deref();
    let grant = match place {
        Place::Objects => objects::permitted(case, project)?,
        Place::List => case.claim.somewhere().map(|()| None)?,
        Place::Tenant => {
            let tenant = facts.tenant.as_ref().ok_or(DenialReason::Internal)?;
            case.claim.in_tenant(tenant.id)?
        }
        Place::Project => {
            let made = objects::made(question, case.route);
            case.claim.on(project, None, made)?
        }
    };
    two_factors(case)?;
    stands(case, facts)?;
    let mut verdict = rights::verdict(case, facts, grant);
    if case.route.objects.judge_answers() {
        let project = project.map(|project| project.id);
        verdict.sight = Some(Box::new(Sight::new(question, project)));
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
        Authentication::NotPresented | Authentication::Ended(_) => Ok(true),
        Authentication::Authenticated(subject) if subject.is_pending() => {
            facts.subject = None;
            Ok(true)
        }
        Authentication::Authenticated(subject) => from_own_page(question, subject).map(|()| true),
        Authentication::Rejected(why) => Err(DenialReason::Rejected(*why)),
        Authentication::Unavailable => Err(DenialReason::TruthUnavailable),
    }
}

fn open_case<'q>(
    question: &'q Question<'q>,
    asked: &'q Asked<'q>,
    facts: &mut Facts,
) -> Result<Case<'q>, DenialReason> {
    let subject = known(question.authentication)?;
    from_own_page(question, subject)?;
    begun(question, subject)?;
    let route = routed(&question.lookup)?;
    let wanted = match &route.requirement {
        Requirement::Permission { name, index } => Some((name, *index)),
        Requirement::Authenticated => None,
        Requirement::Deny { reason } => return Err(DenialReason::DeniedRoute(Arc::clone(reason))),
        // It was answered before.
        Requirement::Public { .. } => return Err(DenialReason::Internal),
    };
    facts.resource = reading::resource(question, route)?;
    let claim = Claim {
        table: question.table,
        subject,
        route,
        wanted,
        asked,
    };
    Ok(Case {
        question,
        route,
        claim,
    })
}

/// What a browser sends by itself proves who its user is, not that they want this.
fn from_own_page(question: &Question<'_>, subject: &Subject) -> Result<(), DenialReason> {
    let request = question.request;
    let scheme = question.circumstances.scheme;
    if subject.credential.sign_in.is_none()
        || is_harmless(request.method(), question.headers)
        || is_same_origin(question.headers, scheme, request.authority())
    {
        return Ok(());
    }
    Err(DenialReason::CrossSite)
}

/// Who has proved one of their factors is as good as a stranger, but where they prove the other.
fn begun(question: &Question<'_>, subject: &Subject) -> Result<(), DenialReason> {
    let enough = match &question.lookup {
        Lookup::Found { route, .. } => route.completeness == Completeness::Begun,
        _ => false,
    };
    if enough || !subject.is_pending() {
        return Ok(());
    }
    Err(DenialReason::SecondFactor)
}

/// Where two factors are asked of everybody, whoever may not do it at all is not asked for them.
fn two_factors(case: Case<'_>) -> Result<(), DenialReason> {
    let wanted = case.route.completeness == Completeness::TwoFactors;
    let sign_in = case.claim.subject.credential.sign_in.as_ref();
    match sign_in {
        Some(sign_in) if wanted && sign_in.assurance() < Assurance::Aal2 => {
            Err(DenialReason::SecondFactor)
        }
        _ => Ok(()),
    }
}

/// What is sensitive wants a person who has proved lately who they are, and tenants and projects
/// have rules of their own; whoever may not do it at all is not asked to. A key knows no such
/// moment.
fn stands(case: Case<'_>, facts: &Facts) -> Result<(), DenialReason> {
    let at = case.question.circumstances.at;
    let key = case.claim.subject.credential.key.as_ref();
    if let (Some(key), Some(tenant)) = (key, &facts.tenant) {
        key.suffice(tenant, at).map_err(DenialReason::KeyClosed)?;
    }
    let Some(standing) = Standing::of(case.claim.subject, at) else {
        return Ok(());
    };
    if let Some(max_age) = case.route.re_auth {
        standing.is_young(max_age, Because::Sensitive)?;
    }
    let (tenant, project) = (facts.tenant.as_deref(), facts.project.as_deref());
    standing.suffices(case.route, tenant, project)
}

/// Strangers learn nothing of the routes: they are asked who they are first.
const fn known(authentication: &Authentication) -> Result<&Subject, DenialReason> {
    match authentication {
        Authentication::Authenticated(subject) => Ok(subject),
        Authentication::NotPresented => Err(DenialReason::Unauthenticated),
        Authentication::Rejected(why) => Err(DenialReason::Rejected(*why)),
        Authentication::Ended(why) => Err(DenialReason::Ended(*why)),
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
    /// A tenant as a whole.
    Tenant,
    /// None of these: the project is all there is, if there is one.
    Project,
}

/// Finds tenant and project. Only where a permission is asked for in one must there be one;
/// elsewhere it is told to the backend if it is known.
fn locate(case: Case<'_>, facts: &mut Facts) -> Result<Place, DenialReason> {
    let Case {
        question,
        route,
        claim: Claim { subject, .. },
    } = case;
    if objects::any(case)? {
        facts.set_project(question, objects::project(case)?);
        return Ok(Place::Objects);
    }
    if let (Some(from), None) = (&route.tenant, &route.project) {
        let name = reading::source(question, from)?.unwrap_or_default();
        facts.tenant = Some(find_tenant(question.table, subject, &name)?);
        return Ok(Place::Tenant);
    }
    let name = reading::named_project(question, route)?;
    if route.objects.judge_answers() {
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

#[cfg(test)]
mod tests;
