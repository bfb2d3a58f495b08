//! From the head of a request to the verdict.
//!
//! A route that names objects is judged twice: first whether the caller may ask at all, then,
//! when its body was read and the owners are known, all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use pingora::proxy::Session;

use super::asking::Unresolved;
use super::exchange::Exchange;
use super::gateway::Gateway;
use super::inspect::{self, Unread};
use super::rules::Rules;
use crate::authn::Caller;
use crate::domain::{ResourceKey, Whose};
use crate::policy::namespace::{Choice, Sought, chosen, lookups};
use crate::policy::{
    Authentication, Body, CanonicalRequest, Checked, Circumstances, Decision, Denial, Facts,
    LabelPairs, LabelSource, Lookup, Named, NamedObjects, Names, PathRef, Question, RoleTable,
    Route, check_content, decide, named, request_labels, request_params, screen,
};

/// What was learnt of a request besides its head.
#[derive(Default)]
pub(super) struct Learnt {
    /// Its body, where the route reads it.
    pub(super) body: Option<Body>,
    /// Objects that are gone if the request succeeds.
    pub(super) doomed: Vec<ResourceKey>,
    /// What the request says of objects that it makes, by rule.
    pub(super) labels: Vec<BTreeMap<String, String>>,
    /// What the names in it mean.
    pub(super) names: Choice,
}

/// A request on its way, without its header fields.
struct Case<'c> {
    request: &'c CanonicalRequest,
    path: PathRef<'c, &'c str>,
    lookup: Lookup<'c>,
    authentication: &'c Authentication,
    circumstances: Circumstances,
}

/// The objects that it names.
#[derive(Default)]
struct Objects {
    named: Vec<Named>,
    owners: Vec<Whose>,
    /// What the request tells of the object that it is to make.
    made: Option<BTreeMap<String, String>>,
    /// What its route takes from it for conditions.
    params: LabelPairs,
}

impl<'c> Case<'c> {
    fn question<'q>(
        &'q self,
        session: &'q Session,
        table: &'q RoleTable,
        objects: Option<&'q Objects>,
    ) -> Question<'q>
    where
        'c: 'q,
    {
        Question {
            request: self.request,
            path: self.path,
            headers: &session.req_header().headers,
            lookup: self.lookup.clone(),
            authentication: self.authentication,
            table,
            circumstances: self.circumstances,
            objects: objects.map(|objects| NamedObjects {
                named: &objects.named,
                owners: &objects.owners,
                made: objects.made.as_ref(),
                params: &objects.params,
            }),
        }
    }

    const fn route(&self) -> Option<&'c Arc<Route>> {
        match &self.lookup {
            Lookup::Found { route, .. } => Some(*route),
            _ => None,
        }
    }

    fn facts(&self) -> Facts {
        let subject = match self.authentication {
            Authentication::Authenticated(subject) => Some(subject.clone()),
            _ => None,
        };
        Facts {
            route: self.route().cloned(),
            subject,
            ..Facts::default()
        }
    }
}

impl Gateway {
    /// From the header to the verdict.
    ///
    /// # Errors
    ///
    /// If the client's body breaks off.
    pub(super) async fn consider(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<Decision> {
        let request = match self.understood(session, exchange).await {
            Ok(request) => request,
            Err(denial) => return Ok(Decision::Denied(denial, Facts::default())),
        };
        let rules = Arc::clone(&exchange.rules);
        let ip = exchange.client.as_ref().and_then(|client| client.ip);
        let scheme = exchange
            .client
            .as_ref()
            .map_or("http", |client| client.scheme);
        let caller = Caller {
            ip,
            https: scheme == "https",
        };
        let presented = request.credential();
        let authentication = self.authenticator.authenticate(presented, caller).await;
        let segments = request.path().segments();
        let path = PathRef {
            segments: &segments,
            trailing_slash: request.path().trailing_slash(),
        };
        let lookup = rules.routes.find(request.method(), request.host(), &path);
        exchange.counters = rules.counters(&lookup).cloned();
        let at = exchange.occurred_at;
        let case = Case {
            request: &request,
            path,
            lookup,
            authentication: &authentication,
            circumstances: Circumstances { ip, at, scheme },
        };
        let decision = self.judge(session, exchange, &case).await?;
        drop(segments);
        exchange.request = Some(request);
        Ok(self.limit_known(&rules, exchange, decision).await)
    }

    async fn judge(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        case: &Case<'_>,
    ) -> pingora::Result<Decision> {
        let Some(route) = case.route().filter(|route| route.is_asked_about()) else {
            let (table, none) = (self.tables.current(), Objects::default());
            return Ok(decide(&case.question(session, &table, Some(&none))));
        };
        if let Err(refused) = screen(&case.question(session, &self.tables.current(), None)) {
            let (denial, facts) = *refused;
            return Ok(Decision::Denied(denial, facts));
        }
        // Boxed: the question for owners would make all futures around it too deep to compile.
        let learnt = Box::pin(self.learn(session, exchange, case, route)).await;
        let (objects, learnt) = match learnt {
            Ok(learnt) => learnt,
            Err(Unread::Refused(denial)) => return Ok(Decision::Denied(denial, case.facts())),
            Err(Unread::Broken(error)) => return Err(error),
        };
        let table = self.tables.current();
        let question = case.question(session, &table, Some(&objects));
        let decision = match decide(&question) {
            Decision::Permitted(permit) => match check_content(&question, learnt.body.as_ref()) {
                Ok(()) => Decision::Permitted(permit),
                Err(denial) => Decision::Denied(denial, permit.into_facts()),
            },
            denied @ Decision::Denied(..) => denied,
        };
        *exchange.learnt = learnt;
        Ok(decision)
    }

    /// Reads the body, and asks whose the objects are that the request names.
    async fn learn(
        &self,
        session: &mut Session,
        exchange: &Exchange,
        case: &Case<'_>,
        route: &Route,
    ) -> Result<(Objects, Learnt), Unread> {
        let rules = &exchange.rules;
        let allowed = route.max_body.unwrap_or(rules.limits.body);
        let body = match &route.objects.body {
            Some(rule) => Some(inspect::read(session, exchange, rule, allowed).await?),
            None => None,
        };
        let (mut names, sought, labels, params) = {
            let table = self.tables.current();
            let question = case.question(session, &table, None);
            let names = named(&question, body.as_ref()).map_err(Denial::from)?;
            let sought = lookups(&question, body.as_ref(), &names).map_err(Denial::from)?;
            let rules = route.objects.creates.iter();
            let labels = rules.map(|rule| request_labels(&question, body.as_ref(), rule));
            let labels = labels
                .collect::<Result<Vec<_>, _>>()
                .map_err(Denial::from)?;
            let params = request_params(&question, body.as_ref(), &route.objects);
            (names, sought, labels, params.map_err(Denial::from)?)
        };
        let choice = self.choose(rules, case, session, route, sought).await?;
        names.replace(|kind, name| choice.id(kind, name).map(str::to_owned));
        let key = |object: &Checked| key(route, &object.reference.kind, &object.reference.id);
        let keys: Vec<_> = names.checked.iter().map(key).collect();
        let owners = self.owners(rules, &keys).await?;
        let doomed = if route.objects.deletes { names.own } else { 0 };
        let learnt = Learnt {
            body,
            doomed: keys.into_iter().take(doomed).collect(),
            labels: labels.into_iter().map(texts).collect(),
            names: choice,
        };
        let mut objects = objects(names, owners);
        objects.made = told(route, &learnt.labels);
        objects.params = params;
        Ok((objects, learnt))
    }

    /// Which objects the names in the request mean.
    async fn choose(
        &self,
        rules: &Rules,
        case: &Case<'_>,
        session: &Session,
        route: &Route,
        sought: Sought,
    ) -> Result<Choice, Denial> {
        let keys = sought.keys().map(|(kind, id)| key(route, kind, id));
        let owners = self.owners(rules, &keys.collect::<Vec<_>>()).await?;
        let table = self.tables.current();
        chosen(&case.question(session, &table, None), sought, &owners)
    }

    pub(super) async fn owners(
        &self,
        rules: &Rules,
        keys: &[ResourceKey],
    ) -> Result<Vec<Whose>, Denial> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.lineage.find(rules, keys).await;
        found.map_err(|error| {
            tracing::warn!(%error, "whose an object is cannot be told");
            match error {
                Unresolved::Database(_) => Denial::truth_unavailable(),
                Unresolved::Backend(_) => Denial::owner_unavailable(),
            }
        })
    }
}

fn key(route: &Route, kind: &Arc<str>, id: &str) -> ResourceKey {
    ResourceKey {
        upstream: Arc::clone(route.recorded_at()),
        kind: Arc::clone(kind),
        id: id.into(),
    }
}

/// What the request tells of what it makes; `None` if the answer is to tell some of it.
fn told(route: &Route, labels: &[BTreeMap<String, String>]) -> Option<BTreeMap<String, String>> {
    let rules = &route.objects.creates;
    let mut sources = rules.iter().flat_map(|rule| &rule.labels);
    let by_request = |(_, from): &(_, LabelSource)| matches!(from, LabelSource::Request(_));
    (!rules.is_empty() && sources.all(by_request))
        .then(|| labels.iter().flat_map(BTreeMap::clone).collect())
}

fn texts(labels: Vec<(Arc<str>, String)>) -> BTreeMap<String, String> {
    let labels = labels.into_iter();
    labels
        .map(|(name, text)| (name.to_string(), text))
        .collect()
}

/// What is not checked is named first, where it is what the request is about.
fn objects(names: Names, mut owners: Vec<Whose>) -> Objects {
    let mut objects = Objects::default();
    if let Some(label) = names.label.filter(|_| names.own == 0) {
        objects.named.push(Named {
            kind: label.kind,
            id: label.id.into(),
            enforced: false,
            may_be_absent: false,
        });
        owners.insert(0, Whose::Nobodys);
    }
    let checked = names.checked.into_iter().map(|object| Named {
        kind: object.reference.kind,
        id: object.reference.id.into(),
        enforced: true,
        may_be_absent: object.may_be_absent,
    });
    objects.named.extend(checked);
    objects.owners = owners;
    objects
}
