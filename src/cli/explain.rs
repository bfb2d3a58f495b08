//! `portcullis explain`: why was I refused?

use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::Args;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde::Serialize;

use super::output::Output;
use super::session::{block_on, connect};
use super::{CliError, Global, check};
use crate::cache::CachedKey;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{
    ApiKey, BindingId, Catalogue, KeyId, Principal, PrincipalName, ProjectPath, Rates, ResourceRef,
    Scope, Whose,
};
use crate::policy::namespace::{chosen, lookups};
use crate::policy::{
    Authentication, Body, CanonicalRequest, Circumstances, CredentialLimits, Decision, Denial,
    Facts, Grant, Lookup, Named, NamedObjects, Names, PathRef, Permit, Question, RawRequest,
    Rejection, RoleTable, Route, Subject, X_PORTCULLIS_PROJECT, check_content, decide, named,
    screen,
};
use crate::store::{DatabaseUrl, Db};

/// Say whether a request would be permitted, and why, without sending anything
///
/// Decides with the configuration and the roles as they are now, by the very code that
/// the gateway runs. Exit code 0: it would be permitted; 7: it would be denied.
///
/// Examples:
///
///   portcullis explain --principal ann@example.com --project acme/fraud \
///       POST /api/2.0/mlflow/runs/create
///   portcullis explain --principal acme/robot --key 4fT0aXq1ZbLw GET '/get-artifact?path=x'
///   portcullis explain --principal ann@example.com --body request.json POST /runs/log
///
/// Whose the objects are that a request names is not looked up: where that decides, the answer
/// lists them and is UNDECIDED, with exit code 7.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct ExplainArgs {
    /// Who asks: an e-mail address, TENANT/NAME of a service account, or an id
    #[arg(long)]
    pub principal: PrincipalName,
    /// With which key: its limits, expiry and revocation count too
    #[arg(long, value_name = "ID")]
    pub key: Option<KeyId>,
    /// The project that the request names
    #[arg(long, value_name = "TENANT/PROJECT")]
    pub project: Option<ProjectPath>,
    /// The database [default: `database.url` of the configuration, else the private Postgres]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,
    /// The request's body, for routes that read it: JSON, or a file that holds it
    #[arg(long, value_name = "FILE|JSON")]
    pub body: Option<String>,
    /// HTTP method
    pub method: Method,
    /// URL, or a path with its query
    pub url: Uri,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Explanation {
    permitted: bool,
    /// It depends on whose the objects are.
    undecided: bool,
    principal: String,
    route: Option<String>,
    defined_at: Option<String>,
    requirement: Option<String>,
    /// Rate limits that count such a request. This one is not counted.
    limits: Vec<String>,
    tenant: Option<String>,
    project: Option<String>,
    resource: Option<String>,
    /// The objects whose owners would be asked for.
    objects: Vec<String>,
    granted_by: Option<Held>,
    /// Roles that count in the scope of the request.
    roles: Vec<Held>,
    /// A stable word, as in the audit trail.
    reason: Option<&'static str>,
    message: Option<String>,
}

/// A role held somewhere.
#[derive(Debug, Serialize)]
struct Held {
    role: String,
    scope: String,
    /// `None` for a project's owner, who needs no binding.
    binding: Option<BindingId>,
}

impl ExplainArgs {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let settings = check::load(global.config(), global.json())?;
        let explanation = block_on(async {
            let db = connect(global, self.database_url.clone()).await?;
            self.explain(&settings, &db, Clock::system().now()).await
        })?;
        let output = Output {
            json: global.json(),
        };
        output.block(&explanation, &explanation.text())?;
        if explanation.permitted {
            Ok(())
        } else {
            Err(CliError::Denied)
        }
    }

    async fn explain(
        &self,
        settings: &Settings,
        db: &Db,
        now: DateTime<Utc>,
    ) -> Result<Explanation, CliError> {
        let principal = db.principal(&self.principal).await?;
        let key = match &self.key {
            Some(id) => Some(db.find_key(id).await?.ok_or_else(|| no_such_key(id))?),
            None => None,
        };
        let (table, _) = RoleTable::build(db.load_policy().await?, &settings.catalogue);
        let headers = self.headers()?;
        let target = self
            .url
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let request = CanonicalRequest::parse(&RawRequest {
            method: &self.method,
            target: target.as_bytes(),
            authority: None,
            headers: &headers,
        })
        .map_err(|malformed| CliError::failed(format!("400: {malformed}")))?;
        let segments = request.path().segments();
        let path = PathRef {
            segments: &segments,
            trailing_slash: request.path().trailing_slash(),
        };
        let lookup = settings
            .routes
            .find(request.method(), request.host(), &path);
        let body = self.body(&lookup)?;
        let label = principal.label().to_owned();
        let answer = Answer::of(
            Question {
                request: &request,
                path,
                headers: &headers,
                lookup,
                authentication: &authentication(principal, key, &settings.catalogue, now),
                table: &table,
                circumstances: Circumstances {
                    ip: None,
                    at: now,
                    scheme: "https",
                },
                objects: None,
            },
            body.as_ref(),
        );
        Ok(Explanation::new(label, &answer, &table, &settings.rate))
    }

    /// The body, if the route reads it.
    fn body(&self, lookup: &Lookup<'_>) -> Result<Option<Body>, CliError> {
        let rule = match lookup {
            Lookup::Found { route, .. } => route.objects.body.as_ref(),
            _ => None,
        };
        let bytes = match &self.body {
            None => Vec::new(),
            Some(json) if json.trim_start().starts_with(['{', '[']) => json.clone().into_bytes(),
            Some(file) => {
                std::fs::read(file).map_err(|error| CliError::failed(format!("{file}: {error}")))?
            }
        };
        let body = rule.map(|rule| Body::parse(rule.format, rule.keys, bytes.into()));
        let body = body.transpose();
        body.map_err(|malformed| CliError::failed(format!("400: {malformed}")))
    }

    fn headers(&self) -> Result<HeaderMap, CliError> {
        let mut headers = HeaderMap::new();
        let host = self
            .url
            .authority()
            .map_or("localhost", |host| host.as_str());
        headers.insert(header::HOST, value(host)?);
        if let Some(project) = &self.project {
            headers.insert(X_PORTCULLIS_PROJECT, value(&project.to_string())?);
        }
        Ok(headers)
    }
}

fn value(text: &str) -> Result<HeaderValue, CliError> {
    text.parse().map_err(CliError::failed)
}

fn no_such_key(id: &KeyId) -> CliError {
    crate::store::StoreError::NotFound {
        kind: "key",
        name: id.to_string(),
    }
    .into()
}

/// As if the principal had presented the key, or an unlimited one.
fn authentication(
    principal: Principal,
    key: Option<ApiKey>,
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> Authentication {
    let rejected = match &key {
        _ if principal.disabled => Some(Rejection::PrincipalDisabled),
        Some(key) if key.principal != principal.id => Some(Rejection::Unknown),
        Some(key) if key.revoked_at.is_some() => Some(Rejection::Revoked),
        Some(key) if key.expires_at.is_some_and(|at| at <= now) => Some(Rejection::Expired),
        _ => None,
    };
    if let Some(why) = rejected {
        return Authentication::Rejected(why);
    }
    let limits = key.map(|key| CachedKey::new(key, catalogue).limits);
    Authentication::Authenticated(Subject {
        principal: principal.into(),
        credential: limits.unwrap_or_else(|| CredentialLimits::none().into()),
    })
}

fn route(question: &Question<'_>) -> Option<Arc<Route>> {
    match &question.lookup {
        Lookup::Found { route, .. } => Some(Arc::clone(route)),
        _ => None,
    }
}

fn subject(question: &Question<'_>) -> Option<Subject> {
    match question.authentication {
        Authentication::Authenticated(subject) => Some(subject.clone()),
        _ => None,
    }
}

/// Names as the backend has them, if none of the objects is from before.
fn as_stored(
    question: &Question<'_>,
    body: Option<&Body>,
    mut names: Names,
) -> Result<Names, Denial> {
    let sought = lookups(question, body, &names)?;
    let unknown = vec![Whose::Nobodys; sought.keys().count()];
    let choice = chosen(question, sought, &unknown)?;
    names.replace(|kind, name| choice.id(kind, name).map(str::to_owned));
    Ok(names)
}

/// What would become of the request.
enum Answer {
    Decided(Box<Decision>),
    /// It depends on whose these are.
    Undecided(Facts, Vec<ResourceRef>),
}

impl Answer {
    fn of(question: Question<'_>, body: Option<&Body>) -> Self {
        let denied = |denial, facts| Self::Decided(Box::new(Decision::Denied(denial, facts)));
        let facts = match screen(&question) {
            Ok(()) => Facts {
                route: route(&question),
                subject: subject(&question),
                ..Facts::default()
            },
            Err(refused) => return denied(refused.0, refused.1),
        };
        let names = match named(&question, body) {
            Ok(names) => names,
            Err(malformed) => return denied(malformed.into(), facts),
        };
        let names = match as_stored(&question, body, names) {
            Ok(names) => names,
            Err(denial) => return denied(denial, facts),
        };
        if let Err(denial) = check_content(&question, body) {
            return denied(denial, facts);
        }
        if !names.checked.is_empty() {
            let objects = names.checked.into_iter().map(|it| it.reference);
            return Self::Undecided(facts, objects.collect());
        }
        let label = names.label.map(|label| Named {
            kind: label.kind,
            id: label.id.into(),
            enforced: false,
            may_be_absent: false,
        });
        Self::Decided(Box::new(decide(&Question {
            objects: Some(NamedObjects {
                named: label.as_slice(),
                owners: &[],
                made: None,
                params: &[],
            }),
            ..question
        })))
    }

    const fn facts(&self) -> &Facts {
        match self {
            Self::Undecided(facts, _) => facts,
            Self::Decided(decision) => match &**decision {
                Decision::Permitted(permit) => permit.facts(),
                Decision::Denied(_, facts) => facts,
            },
        }
    }

    const fn permit(&self) -> Option<&Permit> {
        match self {
            Self::Undecided(..) => None,
            Self::Decided(decision) => match &**decision {
                Decision::Permitted(permit) => Some(permit),
                Decision::Denied(..) => None,
            },
        }
    }

    const fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Undecided(..) => None,
            Self::Decided(decision) => match &**decision {
                Decision::Permitted(_) => None,
                Decision::Denied(denial, _) => Some(denial),
            },
        }
    }

    fn objects(&self) -> Vec<String> {
        match self {
            Self::Undecided(_, objects) => objects
                .iter()
                .map(|it| format!("{} {}", it.kind, it.id))
                .collect(),
            Self::Decided(_) => Vec::new(),
        }
    }
}

impl Explanation {
    fn new(principal: String, answer: &Answer, table: &RoleTable, of_all: &Rates) -> Self {
        let (facts, denial) = (answer.facts(), answer.denial());
        let granted_by = answer.permit().and_then(Permit::granted_by);
        let granted_by = granted_by.map(|grant| held(grant, table));
        let route = facts.route.as_ref();
        Self {
            permitted: answer.permit().is_some(),
            undecided: matches!(answer, Answer::Undecided(..)),
            objects: answer.objects(),
            principal,
            route: route.map(|route| route.label.to_string()),
            defined_at: route.map(|route| route.origin.to_string()),
            requirement: route.map(|route| match &route.requirement {
                permission @ crate::policy::Requirement::Permission { .. } => {
                    let scope = route.scope.as_str();
                    let preposition = if scope == "platform" { "on" } else { "in" };
                    format!("{permission} {preposition} the {scope}")
                }
                other => other.to_string(),
            }),
            limits: limits(of_all, facts),
            tenant: facts.tenant.as_ref().map(|tenant| tenant.slug.to_string()),
            project: facts
                .project
                .as_ref()
                .map(|project| project.slug.to_string()),
            resource: facts
                .resource
                .as_ref()
                .map(|it| format!("{} {}", it.kind, it.id)),
            granted_by,
            roles: roles(facts, table),
            reason: denial.map(Denial::code),
            message: denial.map(Denial::message),
        }
    }

    fn text(&self) -> Vec<String> {
        let verdict = match (self.permitted, self.undecided) {
            (true, _) => "PERMITTED",
            (false, true) => "UNDECIDED",
            (false, false) => "DENIED",
        };
        let mut lines = vec![format!("{verdict} for {}", self.principal)];
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                lines.push(format!("  {name:<12}{value}"));
            }
        };
        line(
            "route",
            self.route.clone().or(Some("none matches".to_owned())),
        );
        line("defined at", self.defined_at.clone());
        line("requires", self.requirement.clone());
        let limits = self.limits.join(", ");
        line("limited to", (!limits.is_empty()).then_some(limits));
        line("tenant", self.tenant.clone());
        line("project", self.project.clone());
        line("resource", self.resource.clone());
        for object in &self.objects {
            line("depends on", Some(object.clone()));
        }
        line("granted by", self.granted_by.as_ref().map(Held::text));
        line("reason", self.reason.map(str::to_owned));
        line("told", self.message.clone());
        for role in &self.roles {
            line("holds", Some(role.text()));
        }
        lines
    }
}

impl Held {
    fn text(&self) -> String {
        let how = self.binding.map_or_else(
            || "as its owner".to_owned(),
            |id| format!("by binding {id}"),
        );
        format!("role {} on {} {how}", self.role, self.scope)
    }
}

fn limits(of_all: &Rates, facts: &Facts) -> Vec<String> {
    let of_route = facts.route.as_ref().map(|route| route.rate.iter());
    let rules = of_all.iter().chain(of_route.into_iter().flatten());
    let limits = rules.map(|rule| format!("{} {}", rule.name(), rule.quota));
    limits.collect()
}

fn roles(facts: &Facts, table: &RoleTable) -> Vec<Held> {
    let Some(subject) = &facts.subject else {
        return Vec::new();
    };
    let scope = match (&facts.project, &facts.tenant) {
        (Some(project), _) => Scope::Project(project.id),
        (None, Some(tenant)) => Scope::Tenant(tenant.id),
        (None, None) => Scope::Platform,
    };
    let grants = table.grants_covering(subject.principal.id, scope);
    grants.map(|grant| held(grant, table)).collect()
}

fn held(grant: &Grant, table: &RoleTable) -> Held {
    let scope = match grant.scope {
        Scope::Platform => "the platform".to_owned(),
        Scope::Tenant(id) => table
            .tenant(id)
            .map_or_else(String::new, |tenant| format!("tenant {}", tenant.slug)),
        Scope::Project(id) => table
            .project(id)
            .map_or_else(String::new, |project| format!("project {}", project.slug)),
        Scope::Resource { id, .. } => format!("resource {id}"),
    };
    Held {
        role: grant.role.name.clone(),
        scope,
        binding: grant.binding,
    }
}
