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
use super::rescue::Failure;
use super::rules::Rules;
use crate::authn::Caller;
use crate::domain::{ResourceKey, Whose};
use crate::policy::namespace::Choice;
use crate::policy::{
    AskedFor, Authentication, Body, CanonicalRequest, Circumstances, Decision, Denial, Facts,
    Inquiry, KnownObjects, Lookup, PathRef, Question, RoleTable, Route, check_content, decide,
    screen,
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

impl<'c> Case<'c> {
    fn question<'q>(
        &'q self,
        session: &'q Session,
        table: &'q RoleTable,
        objects: Option<&'q KnownObjects>,
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
            objects: objects.map(KnownObjects::named),
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
        let segments = request.path().segments();
        let path = PathRef {
            segments: &segments,
            trailing_slash: request.path().trailing_slash(),
        };
        let lookup = rules.routes.find(request.method(), request.host(), &path);
        let caller = Caller {
            ip,
            https: scheme == "https",
            route: match &lookup {
                Lookup::Found { route, .. } => Some(&route.label),
                _ => None,
            },
        };
        let presented = request.credential();
        let authentication = self.authenticator.authenticate(presented, caller).await;
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
        if exchange.asked.is_some()
            && let Some(denied) = self.beyond_asking(session, case)
        {
            return Ok(denied);
        }
        let Some(route) = case.route().filter(|route| route.is_asked_about()) else {
            let (table, none) = (self.tables.current(), KnownObjects::default());
            return Ok(decide(&case.question(session, &table, Some(&none))));
        };
        if let Err(refused) = screen(&case.question(session, &self.tables.current(), None)) {
            let (denial, facts) = *refused;
            return Ok(Decision::Denied(denial, facts));
        }
        if route.objects.body.is_some()
            && let Err(denial) = self.limit_caller(exchange, case.authentication).await
        {
            return Ok(Decision::Denied(denial, case.facts()));
        }
        // Boxed: the question for owners would make all futures around it too deep to compile.
        let learnt = Box::pin(self.learn(session, exchange, case, route)).await;
        let (objects, asked, learnt) = match learnt {
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
        Ok(self.shown(exchange, decision, &asked).await)
    }

    /// Refuses what whoever only asks cannot carry out, to those who may know that there is such a
    /// route.
    fn beyond_asking(&self, session: &Session, case: &Case<'_>) -> Option<Decision> {
        case.route().filter(|route| {
            route.needs_carrying() || self.control_plane.named(&route.upstream).is_some()
        })?;
        let screened = screen(&case.question(session, &self.tables.current(), None));
        Some(match screened {
            Err(refused) => {
                let (denial, facts) = *refused;
                Decision::Denied(denial, facts)
            }
            Ok(()) => Decision::Denied(Denial::not_carried(), case.facts()),
        })
    }

    /// A permit for what the backend does not show in the permit's project is none.
    async fn shown(&self, exchange: &Exchange, decision: Decision, asked: &[AskedFor]) -> Decision {
        let permit = match decision {
            Decision::Permitted(permit) if !asked.is_empty() => permit,
            other => return other,
        };
        let upstream = exchange.rules.upstreams.find(&permit.route().upstream);
        let shown = match upstream {
            Some(upstream) => self.lineage.asker().shows(upstream, &permit, asked).await,
            None => Err(Failure::Internal),
        };
        let denial = match shown {
            Ok(true) => return Decision::Permitted(permit),
            Ok(false) => Denial::resource_unknown(),
            Err(failure) => {
                tracing::warn!(
                    code = failure.code(),
                    "whether an object is shown cannot be told"
                );
                Denial::owner_unavailable()
            }
        };
        Decision::Denied(denial, permit.into_facts())
    }

    /// Reads the body, and asks whose the objects are that the request names.
    async fn learn(
        &self,
        session: &mut Session,
        exchange: &Exchange,
        case: &Case<'_>,
        route: &Route,
    ) -> Result<(KnownObjects, Vec<AskedFor>, Learnt), Unread> {
        let rules = &exchange.rules;
        let allowed = route.max_body.unwrap_or(rules.limits.body);
        let body = match &route.objects.body {
            Some(rule) => Some(inspect::read(session, exchange, rule, allowed).await?),
            None => None,
        };
        let mut inquiry = {
            let table = self.tables.current();
            Inquiry::of(&case.question(session, &table, None), body.as_ref())?
        };
        let named = self.owners(rules, inquiry.name_keys()).await?;
        let choice = {
            let table = self.tables.current();
            inquiry.choose(&case.question(session, &table, None), &named)?
        };
        let owners = self.owners(rules, inquiry.keys()).await?;
        let doomed = if route.objects.deletes {
            inquiry.own_keys().to_vec()
        } else {
            Vec::new()
        };
        let learnt = Learnt {
            body,
            doomed,
            labels: inquiry.labels().to_vec(),
            names: choice,
        };
        let asked = inquiry.take_asked();
        Ok((inquiry.answered(owners), asked, learnt))
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
