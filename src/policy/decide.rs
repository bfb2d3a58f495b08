//! The decision: the only maker of a [`Permit`].

use std::sync::Arc;

use http::HeaderMap;

use super::{
    Authentication, CanonicalRequest, Denial, DenialReason, Lookup, Malformed, Params, PathRef,
    Permit, Requirement, RoleTable, Route, Source, Subject, deciding_header,
    find_scope::{Named, find_project},
    find_tenant::find_tenant,
};
use crate::domain::{Permission, PermissionIndex, Project, ResourceRef, RoleScope, Scope, Tenant};

/// All that a decision rests on.
#[derive(Debug)]
pub struct Question<'a> {
    /// The request.
    pub request: &'a CanonicalRequest,
    /// Its path, as it was looked up.
    pub path: PathRef<'a, &'a str>,
    /// Its header fields, for routes that take an id from one.
    pub headers: &'a HeaderMap,
    /// The route that the request meets.
    pub lookup: Lookup<'a>,
    /// Who sent it.
    pub authentication: &'a Authentication,
    /// Who may do what.
    pub table: &'a RoleTable,
}

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

/// Permit or denial; nothing else exists.
#[derive(Debug)]
pub enum Decision {
    /// Forward it.
    Permitted(Permit),
    /// Refuse it.
    Denied(Denial, Facts),
}

/// Decides.
#[must_use]
pub fn decide(question: &Question<'_>) -> Decision {
    let mut facts = Facts::default();
    if let Authentication::Authenticated(subject) = question.authentication {
        facts.subject = Some(subject.clone());
    }
    match judge(question, &mut facts) {
        Ok(verdict) => Decision::Permitted(Permit::new(facts, verdict)),
        Err(reason) => Decision::Denied(Denial::new(reason), facts),
    }
}

/// What a permit holds beyond the facts.
pub(super) struct Verdict {
    pub(super) route: Arc<Route>,
    pub(super) roles: Vec<super::Grant>,
    pub(super) granted_by: Option<super::Grant>,
}

impl Verdict {
    fn without_role(route: &Arc<Route>) -> Self {
        Self {
            route: Arc::clone(route),
            roles: Vec::new(),
            granted_by: None,
        }
    }
}

fn judge(question: &Question<'_>, facts: &mut Facts) -> Result<Verdict, DenialReason> {
    if let Lookup::Found { route, .. } = &question.lookup {
        facts.route = Some(Arc::clone(route));
        if matches!(route.requirement, Requirement::Public { .. }) {
            return match question.authentication {
                Authentication::NotPresented | Authentication::Authenticated(_) => {
                    Ok(Verdict::without_role(route))
                }
                Authentication::Rejected(why) => Err(DenialReason::Rejected(*why)),
                Authentication::Unavailable => Err(DenialReason::TruthUnavailable),
            };
        }
    }
    let subject = authenticated(question.authentication)?;
    let (route, params) = routed(&question.lookup)?;
    if let Requirement::Deny { reason } = &route.requirement {
        return Err(DenialReason::DeniedRoute(Arc::clone(reason)));
    }
    facts.resource = resource(question, route, params)?;
    locate(question, route, subject, facts)?;
    match &route.requirement {
        Requirement::Permission { name, index } => {
            let scope = scope_of(route, facts)?;
            permitted(question.table, subject, route, scope, (name, *index))
        }
        Requirement::Authenticated => {
            let scope = facts.project.as_ref().map(|p| Scope::Project(p.id));
            Ok(Verdict {
                roles: roles_at(question.table, subject, scope.unwrap_or(Scope::Platform)),
                ..Verdict::without_role(route)
            })
        }
        // Both were answered above.
        Requirement::Public { .. } | Requirement::Deny { .. } => Err(DenialReason::Internal),
    }
}

/// Strangers learn nothing of the routes: they are asked who they are first.
const fn authenticated(authentication: &Authentication) -> Result<&Subject, DenialReason> {
    match authentication {
        Authentication::Authenticated(subject) => Ok(subject),
        Authentication::NotPresented => Err(DenialReason::Unauthenticated),
        Authentication::Rejected(why) => Err(DenialReason::Rejected(*why)),
        Authentication::Unavailable => Err(DenialReason::TruthUnavailable),
    }
}

fn routed<'q>(lookup: &'q Lookup<'_>) -> Result<(&'q Arc<Route>, Params<'q>), DenialReason> {
    match lookup {
        Lookup::Found { route, params, .. } => Ok((route, *params)),
        Lookup::WrongMethod { allowed } => Err(DenialReason::WrongMethod(allowed.clone())),
        Lookup::NotFound => Err(DenialReason::NoRoute),
    }
}

/// Finds tenant and project. Only a route that checks a permission in a project
/// must have one; elsewhere it is told to the backend if it is known.
fn locate(
    question: &Question<'_>,
    route: &Route,
    subject: &Subject,
    facts: &mut Facts,
) -> Result<(), DenialReason> {
    if let (Some(from), None) = (&route.tenant, &route.project) {
        let name = source(question, from, params(question))?.unwrap_or_default();
        facts.tenant = Some(find_tenant(question.table, subject, &name)?);
        return Ok(());
    }
    let named = named_project(question, route)?;
    match find_project(question.table, subject, named) {
        Ok(project) => {
            facts.tenant = question.table.tenant(project.tenant).cloned();
            facts.project = Some(project);
            Ok(())
        }
        Err(reason) if needs_project(route) || reason.is_refusal() => Err(reason.into()),
        Err(_) => Ok(()),
    }
}

const fn needs_project(route: &Route) -> bool {
    matches!(route.requirement, Requirement::Permission { .. })
        && !matches!(route.scope, RoleScope::Platform)
}

fn scope_of(route: &Route, facts: &Facts) -> Result<Scope, DenialReason> {
    match route.scope {
        RoleScope::Platform => Some(Scope::Platform),
        RoleScope::Tenant => facts.tenant.as_ref().map(|tenant| Scope::Tenant(tenant.id)),
        RoleScope::Project => facts
            .project
            .as_ref()
            .map(|project| Scope::Project(project.id)),
    }
    .ok_or(DenialReason::ProjectRequired)
}

/// The permission must be held by a role that counts at the scope, and the
/// credential must not be limited to less.
fn permitted(
    table: &RoleTable,
    subject: &Subject,
    route: &Arc<Route>,
    scope: Scope,
    (name, index): (&Permission, PermissionIndex),
) -> Result<Verdict, DenialReason> {
    let limits = &subject.credential;
    if limits.projects.is_some() && !matches!(scope, Scope::Project(_)) {
        return Err(DenialReason::CredentialScope);
    }
    let roles = roles_at(table, subject, scope);
    let Some(grant) = roles.iter().find(|grant| grant.allows(index)) else {
        return Err(DenialReason::PermissionMissing {
            permission: name.clone(),
            scope,
        });
    };
    if !limits
        .permissions
        .as_ref()
        .is_none_or(|set| set.contains(index))
    {
        return Err(DenialReason::CredentialPermission {
            permission: name.clone(),
        });
    }
    Ok(Verdict {
        route: Arc::clone(route),
        granted_by: Some(grant.clone()),
        roles,
    })
}

fn roles_at(table: &RoleTable, subject: &Subject, scope: Scope) -> Vec<super::Grant> {
    table
        .grants_covering(subject.principal.id, scope)
        .cloned()
        .collect()
}

fn resource(
    question: &Question<'_>,
    route: &Route,
    params: Params<'_>,
) -> Result<Option<ResourceRef>, DenialReason> {
    let Some(rule) = &route.resource else {
        return Ok(None);
    };
    let Some(from) = rule.ids.first() else {
        return Ok(None);
    };
    let id = source(question, from, Some(params))?;
    Ok(id.map(|id| ResourceRef {
        kind: Arc::clone(&rule.kind),
        id,
    }))
}

/// Where the request names its project.
fn named_project<'q>(
    question: &'q Question<'_>,
    route: &'q Route,
) -> Result<Named<impl FnOnce() -> Result<Option<String>, Malformed> + 'q>, Malformed> {
    let read = |from: &Option<Source>| match from {
        Some(from) => source(question, from, params(question)),
        None => Ok(None),
    };
    let by_route = match (read(&route.tenant)?, read(&route.project)?) {
        (Some(tenant), Some(project)) => Some(format!("{tenant}/{project}")),
        (_, project) => project,
    };
    Ok(Named {
        by_route,
        by_header: || {
            let name = deciding_header(question.headers, &super::X_PORTCULLIS_PROJECT)?;
            Ok(name.map(str::to_owned))
        },
    })
}

fn params<'q>(question: &'q Question<'_>) -> Option<Params<'q>> {
    match &question.lookup {
        Lookup::Found { params, .. } => Some(*params),
        _ => None,
    }
}

fn source(
    question: &Question<'_>,
    from: &Source,
    params: Option<Params<'_>>,
) -> Result<Option<String>, Malformed> {
    match from {
        Source::Path(name) => {
            let value = params.and_then(|params| params.get(name, &question.path));
            Ok(value.map(std::borrow::Cow::into_owned))
        }
        Source::Query(name) => match question.request.query().single(name) {
            Ok(value) => Ok(value.map(std::borrow::Cow::into_owned)),
            Err(super::AmbiguousParameter) => Err(Malformed::RepeatedParameter),
        },
        Source::Header(name) => {
            deciding_header(question.headers, name).map(|value| value.map(str::to_owned))
        }
        Source::Body(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
