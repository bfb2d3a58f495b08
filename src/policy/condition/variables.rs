//! What conditions see.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use cel::objects::Key;
use cel::{Context, Value};
use chrono::{DateTime, Utc};
use http::header;

use super::super::{Authentication, Question, SignIn};
use super::Scene;
use super::check::{Uses, VARIABLES};

/// The longest value that a condition reads, in bytes: evaluation stays cheap whatever a
/// client sends.
const MAX_VALUE: usize = 4096;

/// An object, as conditions see it.
#[derive(Clone, Copy, Debug)]
pub enum Thing<'a> {
    /// The request is about none.
    Nothing,
    /// This one. One that is about to be made has no id.
    Known {
        /// Its type.
        kind: &'a str,
        /// The backend's id of it.
        id: &'a str,
        /// `environment` and tags.
        labels: &'a BTreeMap<String, String>,
    },
    /// One is about to be made of which the request does not tell enough.
    Unclear,
}

/// What conditions see of a request, kept for an answer that is filtered.
#[derive(Debug)]
pub struct RequestFacts {
    method: String,
    path: String,
    host: String,
    ip: Option<IpAddr>,
    at: DateTime<Utc>,
    user_agent: String,
    acr: &'static str,
    amr: String,
    params: BTreeMap<String, String>,
    /// `None` if a parameter is there twice: backends differ in which they take.
    query: Option<BTreeMap<String, String>>,
}

impl RequestFacts {
    pub(in super::super) fn of(question: &Question<'_>) -> Self {
        let request = question.request;
        let sign_in = match question.authentication {
            Authentication::Authenticated(subject) => subject.credential.sign_in.as_ref(),
            _ => None,
        };
        let user_agent = question.headers.get(header::USER_AGENT);
        Self {
            method: request.method().as_str().to_owned(),
            path: request.path().encoded().to_owned(),
            host: request.host().to_owned(),
            ip: question.circumstances.ip,
            at: question.circumstances.at,
            user_agent: user_agent.map_or_else(String::new, |value| {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            }),
            acr: sign_in.map_or("", |sign_in| sign_in.assurance().as_str()),
            amr: sign_in.map_or_else(String::new, SignIn::amr),
            params: params(question),
            query: query(question),
        }
    }
}

fn params(question: &Question<'_>) -> BTreeMap<String, String> {
    let Some(params) = question.params() else {
        return BTreeMap::new();
    };
    let taken = question.objects.map_or(&[][..], |objects| objects.params);
    let taken = taken
        .iter()
        .map(|(name, value)| (name.to_string(), value.clone()));
    let names = params.pattern().params();
    names
        .filter_map(|name| {
            let value = params.get(name, &question.path)?;
            Some((name.to_owned(), value.into_owned()))
        })
        .chain(taken)
        .collect()
}

fn query(question: &Question<'_>) -> Option<BTreeMap<String, String>> {
    let mut query = BTreeMap::new();
    for (name, value) in question.request.query().pairs() {
        let twice = query.insert(name.into_owned(), value.into_owned());
        if twice.is_some() {
            return None;
        }
    }
    Some(query)
}

impl Scene<'_> {
    /// Binds the variables that are read; `None` if one has no value.
    pub(super) fn bind(&self, uses: Uses, context: &mut Context<'_, '_>) -> Option<()> {
        for (at, (name, _)) in VARIABLES.iter().enumerate() {
            let mut fields = uses.of(at).peekable();
            if fields.peek().is_none() {
                continue;
            }
            let values = fields.map(|field| Some((Key::from(field), self.value(name, field)?)));
            let values: HashMap<Key, Value> = values.collect::<Option<_>>()?;
            context.add_variable_from_value(*name, values);
        }
        Some(())
    }

    fn value(&self, variable: &str, field: &str) -> Option<Value> {
        match variable {
            "principal" => self.of_principal(field),
            "tenant" => {
                let tenant = self.tenant?;
                match field {
                    "id" => text(&tenant.id.to_string()),
                    _ => text(tenant.slug.as_str()),
                }
            }
            "project" => {
                let project = self.project?;
                match field {
                    "id" => text(&project.id.to_string()),
                    _ => text(project.slug.as_str()),
                }
            }
            "resource" => self.of_resource(field),
            "session" => match field {
                "acr" => text(self.request.facts().acr),
                _ => text(&self.request.facts().amr),
            },
            _ => self.of_request(field),
        }
    }

    fn of_principal(&self, field: &str) -> Option<Value> {
        let principal = self.principal;
        match field {
            "id" => text(&principal.id.to_string()),
            "type" => text(principal.kind.as_str()),
            "email" => text(principal.email.as_deref().unwrap_or_default()),
            "name" => text(&principal.name),
            _ => {
                let home = principal.tenant.map(|tenant| tenant.to_string());
                text(&home.unwrap_or_default())
            }
        }
    }

    fn of_resource(&self, field: &str) -> Option<Value> {
        let empty = BTreeMap::new();
        let (kind, id, labels) = match self.thing {
            Thing::Nothing => ("", "", &empty),
            Thing::Known { kind, id, labels } => (kind, id, labels),
            Thing::Unclear => return None,
        };
        match field {
            "type" => text(kind),
            "id" => text(id),
            "environment" => text(labels.get("environment").map_or("", String::as_str)),
            _ => map(labels),
        }
    }

    fn of_request(&self, field: &str) -> Option<Value> {
        let facts = self.request.facts();
        match field {
            "method" => text(&facts.method),
            "path" => text(&facts.path),
            "host" => text(&facts.host),
            "ip" => text(&facts.ip?.to_string()),
            "time" => Some(Value::Timestamp(facts.at.fixed_offset())),
            "params" => map(&facts.params),
            "query" => map(facts.query.as_ref()?),
            _ => text(&facts.user_agent),
        }
    }
}

fn text(value: &str) -> Option<Value> {
    (value.len() <= MAX_VALUE).then(|| Value::from(value))
}

fn map(texts: &BTreeMap<String, String>) -> Option<Value> {
    let length: usize = texts
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if length > 2 * MAX_VALUE {
        return None;
    }
    let values = texts.iter().map(|(key, value)| {
        let key = Key::from(key.as_str());
        Some((key, text(value)?))
    });
    let values: HashMap<Key, Value> = values.collect::<Option<_>>()?;
    Some(values.into())
}
