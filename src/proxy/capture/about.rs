//! The one object that an answer is about, where the request names it by something else than
//! its id.

use http::StatusCode;
use pingora::proxy::Session;

use super::{Captured, fail, unreadable};
use crate::domain::{ResourceKey, Whose};
use crate::policy::json_text::ids_at;
use crate::policy::{AnswerRule, Denial, Named, Route};
use crate::proxy::exchange::{Exchange, Outcome};
use crate::proxy::gateway::Gateway;
use crate::proxy::rescue::Failure;

impl Gateway {
    /// Whether the answer tells of nothing that the caller may not see. What the backend does
    /// not have is not the caller's own either: both are answered alike.
    pub(super) async fn is_about_own(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        rule: &AnswerRule,
        answer: &mut Captured,
    ) -> pingora::Result<bool> {
        let status = answer.head.status;
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(false);
        }
        if !status.is_success() {
            return Ok(true);
        }
        answer.decode(exchange)?;
        let ids = ids_at(answer.text(exchange)?, &rule.id).map_err(unreadable(exchange))?;
        let key = |id: String| ResourceKey {
            upstream: route.recorded_at().clone(),
            kind: rule.kind.clone(),
            id: id.into(),
        };
        let keys: Vec<_> = ids.into_iter().map(key).collect();
        let rules = exchange.rules.clone();
        let Ok(owners) = self.owners(&rules, &keys).await else {
            return Err(fail(exchange, Failure::OwnersUnknown));
        };
        let Outcome::Permitted(permit) = &exchange.outcome else {
            return Err(fail(exchange, Failure::Internal));
        };
        let table = self.tables.current();
        let sees = |(key, whose): (&ResourceKey, &Whose)| {
            let named = Named {
                kind: key.kind.clone(),
                id: key.id.clone(),
                enforced: true,
                may_be_absent: false,
            };
            let owner = whose.owner();
            owner.is_some_and(|owner| permit.sees(&table, &named, owner))
        };
        Ok(!owners.is_empty() && keys.iter().zip(&owners).all(sees))
    }

    /// As for an id that nobody has.
    pub(super) async fn answer_unknown(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let facts = exchange.take_facts();
        self.refuse(session, exchange, Denial::resource_unknown(), facts)
            .await
    }
}
