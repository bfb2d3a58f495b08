//! What of a list stays.

use std::sync::Arc;

use super::{Captured, fail, unreadable};
use crate::domain::{ResourceKey, Whose};
use crate::policy::json_text::{Listing, Unreadable, set_null, without_items};
use crate::policy::{FilterRule, Named, Route};
use crate::proxy::exchange::{Exchange, Outcome};
use crate::proxy::gateway::Gateway;
use crate::proxy::rescue::Failure;

impl Captured {
    /// Empties the places that tell of what was taken out.
    pub(super) fn hide(&mut self, exchange: &mut Exchange, route: &Route) -> pingora::Result<()> {
        for pointer in &route.objects.hide {
            let text = self.text(exchange)?;
            if text.is_empty() {
                return Ok(());
            }
            let hidden = set_null(text, pointer).map_err(unreadable(exchange))?;
            self.body = hidden.into();
        }
        Ok(())
    }
}

impl Gateway {
    /// Takes out of the answer what the caller may not see.
    pub(super) async fn filter(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        answer: &mut Captured,
    ) -> pingora::Result<()> {
        for rule in &route.objects.filters {
            let text = answer.text(exchange)?;
            if text.is_empty() && exchange.has_no_answer_body(answer.head.status) {
                return Ok(());
            }
            let listing = Listing::read(text, rule).map_err(unreadable(exchange))?;
            let visible = self.visible(exchange, route, rule, &listing).await?;
            // Of several lists one may lose its items with those of another.
            let has_items = route.objects.filters.len() == 1 && visible.contains(&true);
            let mut visible = visible.into_iter();
            let kept = listing.keep(|| visible.next().unwrap_or(false));
            answer.body = kept.map_err(unreadable(exchange))?.into();
            answer.has_items = has_items;
        }
        Ok(())
    }

    /// Gives lists without an item the one form that they have, however they came about.
    pub(super) fn level(
        exchange: &mut Exchange,
        route: &Route,
        answer: &mut Captured,
    ) -> pingora::Result<()> {
        if exchange.has_no_answer_body(answer.head.status) {
            return Ok(());
        }
        for rule in &route.objects.filters {
            let text = answer.text(exchange)?;
            if let Some(text) = without_items(text, rule).map_err(unreadable(exchange))? {
                answer.body = text.into();
            }
        }
        Ok(())
    }

    /// For each item, whether the caller may see it.
    pub(super) async fn visible(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        rule: &FilterRule,
        listing: &Listing<'_>,
    ) -> pingora::Result<Vec<bool>> {
        let ids: Vec<&str> = listing.ids().flatten().collect();
        let seen = self.seen(exchange, route, &rule.kind, &ids).await?;
        let mut seen = seen.into_iter();
        let visible = listing.ids().map(|id| id.and_then(|_| seen.next()));
        let visible = visible.map(|seen| seen.unwrap_or(false));
        let visible: Vec<bool> = visible.collect();
        sought_after(exchange, route, rule, listing, visible).map_err(unreadable(exchange))
    }

    /// For each of these objects, whether the caller may see it.
    pub(super) async fn seen(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        kind: &Arc<str>,
        ids: &[&str],
    ) -> pingora::Result<Vec<bool>> {
        let key = |id: &&str| ResourceKey {
            upstream: Arc::clone(route.recorded_at()),
            kind: Arc::clone(kind),
            id: (*id).into(),
        };
        let keys: Vec<_> = ids.iter().map(key).collect();
        let rules = Arc::clone(&exchange.rules);
        let Ok(owners) = self.owners(&rules, &keys).await else {
            return Err(fail(exchange, Failure::OwnersUnknown));
        };
        let Outcome::Permitted(permit) = &exchange.outcome else {
            return Err(fail(exchange, Failure::Internal));
        };
        let table = self.tables.current();
        let mut owners = owners.iter().map(Whose::owner);
        let sees = |key: ResourceKey| {
            let named = Named {
                kind: key.kind,
                id: key.id,
                enforced: true,
                may_be_absent: false,
            };
            let owner = owners.next().flatten();
            owner.is_some_and(|owner| permit.sees(&table, &named, owner))
        };
        Ok(keys.into_iter().map(sees).collect())
    }
}

/// Of the items that may be seen, those whose names are what was searched for.
fn sought_after(
    exchange: &Exchange,
    route: &Route,
    rule: &FilterRule,
    listing: &Listing<'_>,
    visible: Vec<bool>,
) -> Result<Vec<bool>, Unreadable> {
    let (names, tests) = (&route.objects.names, &exchange.learnt.names.tests);
    let searched = names.filters.iter().any(|place| place.kind == rule.kind);
    let Some(home) = exchange.home().filter(|_| searched && !tests.is_empty()) else {
        return Ok(visible);
    };
    let items = listing.texts().zip(visible);
    let judged = items.map(|(item, seen)| Ok(seen && names.meets(&home, rule, item, tests)?));
    judged.collect()
}
