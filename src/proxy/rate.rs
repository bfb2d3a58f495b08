//! Rate limits on the way of a request.
//!
//! 1. The top level's `address` counts every request, before its credential is looked at,
//!    so that guessing keys is bounded.
//! 2. Its `principal`, `key` and `tenant`, and a key's own limit, count what a known principal
//!    sends, permitted or not.
//!    Where a body is read before the decision, `principal` and `key` count before that.
//! 3. The limits of a route, `address` included, count what is permitted there: they say
//!    how much the backend gets.
//!
//! A request that one of them refuses is counted by none of them.

use http::HeaderName;
use pingora::http::ResponseHeader;
use smallvec::SmallVec;

use super::exchange::Exchange;
use super::gateway::Gateway;
use super::rules::Rules;
use crate::domain::{Dimension, RateRule};
use crate::policy::{Authentication, Decision, Denial, DenialReason, Facts};
use crate::rate::{Charge, Refusal, Standings, Subject, Taken};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What the rate limits say of one request.
#[derive(Debug, Default)]
pub(super) struct RateState {
    taken: Taken,
    standings: Standings,
    /// Whether the top level has counted principal and key already.
    caller_counted: bool,
}

impl RateState {
    /// Tells the client where it stands, if anything counted it. The backend may have
    /// limits of its own and name them likewise: then ours is told.
    pub(super) fn tell(&self, header: &mut ResponseHeader) -> pingora::Result<()> {
        if self.standings.is_empty() {
            return Ok(());
        }
        header.insert_header(POLICY, self.standings.policy())?;
        header.insert_header(LIMIT, self.standings.limit())
    }
}

impl Gateway {
    /// Before the credential is looked at.
    pub(super) async fn limit_address(
        &self,
        rules: &Rules,
        exchange: &mut Exchange,
    ) -> Result<(), Denial> {
        let by_address = |rule: &&RateRule| rule.dimension == Dimension::Address;
        let rules = rules.rate.iter().filter(by_address);
        let charges = charges(rules, &Facts::default(), exchange);
        let state = &mut exchange.rate;
        let held = self.limiter.hold(&charges, &mut state.standings).await;
        state.taken = held.map_err(denial)?;
        Ok(())
    }

    /// Before a body is read for a known caller, who may send any number of them otherwise.
    pub(super) async fn limit_caller(
        &self,
        exchange: &mut Exchange,
        authentication: &Authentication,
    ) -> Result<(), Denial> {
        let Authentication::Authenticated(subject) = authentication else {
            return Ok(());
        };
        let facts = Facts {
            subject: Some(subject.clone()),
            ..Facts::default()
        };
        let rules = std::sync::Arc::clone(&exchange.rules);
        let of_caller = rules.rate.iter().filter(|rule| is_of_caller(rule));
        let charges = charges(of_caller.chain(own(&facts)), &facts, exchange);
        let state = &mut exchange.rate;
        state.caller_counted = true;
        let taken = std::mem::take(&mut state.taken);
        let held = self
            .limiter
            .hold_more(&charges, taken, &mut state.standings);
        state.taken = held.await.map_err(denial)?;
        Ok(())
    }

    /// After the decision, before anybody hears of it.
    pub(super) async fn limit_known(
        &self,
        rules: &Rules,
        exchange: &mut Exchange,
        decision: Decision,
    ) -> Decision {
        let counted = exchange.rate.caller_counted;
        let by_credential = |rule: &&RateRule| {
            rule.dimension != Dimension::Address && !(counted && is_of_caller(rule))
        };
        let of_all = rules.rate.iter().filter(by_credential);
        let own = |facts| own(facts).filter(move |_| !counted);
        let charged = match &decision {
            Decision::Permitted(permit) => {
                let of_route = permit.route().rate.iter();
                let facts = permit.facts();
                let all = of_all.chain(own(facts)).chain(of_route);
                self.charge(all, facts, exchange).await
            }
            Decision::Denied(_, facts) => {
                self.charge(of_all.chain(own(facts)), facts, exchange).await
            }
        };
        match (charged, decision) {
            (Ok(()), decision) => decision,
            (Err(denial), Decision::Permitted(permit)) => {
                Decision::Denied(denial, permit.into_facts())
            }
            // It is told that in any case: then its connection closes.
            (Err(_), Decision::Denied(first, facts)) if is_malformed(&first) => {
                Decision::Denied(first, facts)
            }
            (Err(denial), Decision::Denied(_, facts)) => Decision::Denied(denial, facts),
        }
    }

    async fn charge<'r>(
        &self,
        rules: impl Iterator<Item = &'r RateRule>,
        facts: &Facts,
        exchange: &mut Exchange,
    ) -> Result<(), Denial> {
        let charges = charges(rules, facts, exchange);
        let state = &mut exchange.rate;
        let taken = std::mem::take(&mut state.taken);
        let passed = self.limiter.charge(&charges, taken, &mut state.standings);
        passed.await.map_err(denial)
    }
}

/// The limit of the key itself.
fn own(facts: &Facts) -> impl Iterator<Item = &RateRule> {
    let subject = facts.subject.as_ref();
    let key = subject.and_then(|subject| subject.credential.key.as_ref());
    key.and_then(|key| key.rate.as_ref()).into_iter()
}

const fn is_of_caller(rule: &RateRule) -> bool {
    matches!(rule.dimension, Dimension::Principal | Dimension::Key)
}

const fn is_malformed(denial: &Denial) -> bool {
    matches!(denial.reason(), DenialReason::Malformed(_))
}

fn denial(refusal: Refusal) -> Denial {
    match refusal {
        Refusal::Limited { rule, retry_after } => Denial::rate_limited(rule, retry_after),
        Refusal::Unknown => Denial::rate_unknown(),
    }
}

fn charges<'r>(
    rules: impl Iterator<Item = &'r RateRule>,
    facts: &Facts,
    exchange: &Exchange,
) -> SmallVec<[Charge; 8]> {
    let charges = rules.filter_map(|rule| charge(rule, facts, exchange));
    charges.collect()
}

/// `None` where there is nobody to count: a stranger has no key, a request without a
/// project no tenant.
fn charge(rule: &RateRule, facts: &Facts, exchange: &Exchange) -> Option<Charge> {
    let known = facts.subject.as_ref();
    let subject = match rule.dimension {
        Dimension::Address => {
            let client = exchange.client.as_ref();
            Subject::address(client.and_then(|client| client.ip))
        }
        Dimension::Principal => Subject::principal(known?.principal.id),
        Dimension::Key => Subject::key(known?.credential.id.as_ref()?.key()?),
        Dimension::Tenant => Subject::tenant(facts.tenant.as_ref()?.id),
    };
    let rule = *rule;
    Some(Charge { rule, subject })
}
