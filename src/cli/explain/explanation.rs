//! The answer, for people and for programs.

use serde::Serialize;

use super::held::Held;
use super::objects::{self, Object};
use super::verdict::Verdict;
use crate::domain::{Rates, Scope};
use crate::policy::{Denial, Facts, Permit, Requirement, RoleTable, Route};

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    permitted: bool,
    /// It depends on whose an object is that only its backend knows.
    undecided: bool,
    principal: String,
    route: Option<String>,
    defined_at: Option<String>,
    requirement: Option<String>,
    /// What must hold besides.
    when: Option<String>,
    /// Rate limits that count such a request. This one is not counted.
    limits: Vec<String>,
    tenant: Option<String>,
    project: Option<String>,
    resource: Option<String>,
    /// The objects that it names.
    objects: Vec<Object>,
    granted_by: Option<Held>,
    /// A stable word, as in the audit trail.
    reason: Option<&'static str>,
    message: Option<String>,
    /// What is judged when the answer is there.
    afterwards: Vec<String>,
    /// Roles that count in the scope of the request.
    roles: Vec<Held>,
    /// If there are none: those held anywhere.
    elsewhere: Vec<Held>,
}

impl Explanation {
    pub(super) fn new(
        principal: String,
        verdict: &Verdict,
        table: &RoleTable,
        of_all: &Rates,
    ) -> Self {
        let (facts, denial) = (verdict.facts(), verdict.denial());
        let granted_by = verdict.permit().and_then(Permit::granted_by);
        let route = facts.route.as_deref();
        let (roles, elsewhere) = roles(verdict, table);
        Self {
            permitted: verdict.permit().is_some(),
            undecided: verdict.is_undecided(),
            principal,
            route: route.map(|route| route.label.to_string()),
            defined_at: route.map(|route| route.origin.to_string()),
            requirement: route.map(requirement),
            when: route.and_then(|route| Some(route.when.as_ref()?.to_string())),
            limits: limits(of_all, route),
            tenant: facts.tenant.as_ref().map(|it| it.slug.to_string()),
            project: facts.project.as_ref().map(|it| it.slug.to_string()),
            resource: resource(facts),
            objects: objects::objects(verdict, table),
            granted_by: granted_by.map(|grant| Held::new(grant, table)),
            reason: denial.map(Denial::code),
            message: denial.map(Denial::message),
            afterwards: match route {
                Some(route) if denial.is_none() => objects::afterwards(route),
                _ => Vec::new(),
            },
            roles,
            elsewhere,
        }
    }

    pub(super) const fn permitted(&self) -> bool {
        self.permitted
    }

    /// A line for each thing that there is to say.
    pub(super) fn text(&self) -> Vec<String> {
        let verdict = match (self.permitted, self.undecided) {
            (true, _) => "PERMITTED",
            (false, true) => "UNDECIDED",
            (false, false) => "DENIED",
        };
        let limits = self.limits.join(", ");
        let route = self.route.as_deref().unwrap_or("none matches");
        let texts = [
            ("route", Some(route)),
            ("defined at", self.defined_at.as_deref()),
            ("requires", self.requirement.as_deref()),
            ("when", self.when.as_deref()),
            ("limited to", Some(&*limits).filter(|it| !it.is_empty())),
            ("tenant", self.tenant.as_deref()),
            ("project", self.project.as_deref()),
            ("resource", self.resource.as_deref()),
        ];
        let found = texts.into_iter();
        let found = found.filter_map(|(name, text)| Some((name, text?.to_owned())));
        let objects = self.objects.iter().map(|it| ("object", it.text()));
        let granted = self.granted_by.iter().map(|it| ("granted by", it.text()));
        let reason = self.reason.iter().map(|it| ("reason", (*it).to_owned()));
        let told = self.message.iter().map(|it| ("told", it.clone()));
        let then = self.afterwards.iter().map(|it| ("then", it.clone()));
        let holds = self.roles.iter().map(|it| ("holds", it.text()));
        let elsewhere = self.elsewhere.iter().map(|it| ("elsewhere", it.text()));
        let why = granted.chain(reason).chain(told).chain(then);
        let all = found
            .chain(objects)
            .chain(why)
            .chain(holds)
            .chain(elsewhere);
        let lines = all.map(|(name, text)| format!("  {name:<12}{text}"));
        let first = format!("{verdict} for {}", self.principal);
        std::iter::once(first).chain(lines).collect()
    }
}

fn requirement(route: &Route) -> String {
    let Requirement::Permission { .. } = &route.requirement else {
        return route.requirement.to_string();
    };
    let scope = route.scope.as_str();
    let preposition = if scope == "platform" { "on" } else { "in" };
    format!("{} {preposition} the {scope}", route.requirement)
}

fn resource(facts: &Facts) -> Option<String> {
    let resource = facts.resource.as_ref()?;
    Some(format!("{} {}", resource.kind, resource.id))
}

fn limits(of_all: &Rates, route: Option<&Route>) -> Vec<String> {
    let of_route = route.map(|route| route.rate.iter());
    let rules = of_all.iter().chain(of_route.into_iter().flatten());
    let limits = rules.map(|rule| format!("{} {}", rule.name(), rule.quota));
    limits.collect()
}

/// Those that count where the request is about, and, if there are none, all others.
fn roles(verdict: &Verdict, table: &RoleTable) -> (Vec<Held>, Vec<Held>) {
    let facts = verdict.facts();
    let Some(subject) = &facts.subject else {
        return (Vec::new(), Vec::new());
    };
    let scope = match (objects::scope(verdict), &facts.project, &facts.tenant) {
        (Some(object), _, _) => object,
        (None, Some(project), _) => Scope::Project(project.id),
        (None, None, Some(tenant)) => Scope::Tenant(tenant.id),
        (None, None, None) => Scope::Platform,
    };
    let who = subject.principal.id;
    let here = table.grants_covering(who, scope);
    let here: Vec<_> = here.map(|grant| Held::new(grant, table)).collect();
    let anywhere = table.grants_of(who).filter(|_| here.is_empty());
    let elsewhere = anywhere.map(|grant| Held::new(grant, table)).collect();
    (here, elsewhere)
}
