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
use crate::policy::{
    Authentication, Body, CanonicalRequest, Circumstances, Decision, Denial, Facts, Inquiry,
    KnownObjects, Lookup, PathRef, Question, RoleTable, Route, check_content, decide, screen,
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
            let (table, none) = (self.tables.current(), KnownObjects::default());
            return Ok(decide(&case.question(session, &table, Some(&none))));
        };
        if let Err(refused) = screen(&case.question(session, &self.tables.current(), None)) {
            let (denial, facts) = *refused;
            return Ok(Decision::Denied(denial, facts));
        }
        let learnt = self.learn(session, exchange, case, route).await;
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
        exchange.learnt = learnt;
        Ok(decision)
    }

    /// Reads the body, and asks whose the objects are that the request names.
    async fn learn(
        &self,
        session: &mut Session,
        exchange: &Exchange,
        case: &Case<'_>,
        route: &Route,
    ) -> Result<(KnownObjects, Learnt), Unread> {
        let rules = &exchange.rules;
        let allowed = route.max_body.unwrap_or(rules.limits.body);
        let body = match &route.objects.body {
            Some(rule) => Some(inspect::read(session, exchange, rule, allowed).await?),
            None => None,
        };
        let inquiry = {
            let table = self.tables.current();
            Inquiry::of(&case.question(session, &table, None), body.as_ref())?
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
        };
        Ok((inquiry.answered(owners), learnt))
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
