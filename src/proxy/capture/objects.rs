//! What an answer tells was made, and what is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Captured, fail, unreadable};
use crate::cache::{Changes, Made, OwnersError};
use crate::domain::ResourceKey;
use crate::policy::json_text::{Unreadable, ids_at, text_at};
use crate::policy::{CreateRule, LabelSource, Route};
use crate::proxy::exchange::{Exchange, Outcome};
use crate::proxy::gateway::Gateway;
use crate::proxy::record;
use crate::proxy::rescue::Failure;

impl Gateway {
    /// Records what a successful request made and forgets what it removed, before anybody
    /// hears of either.
    pub(super) async fn settle(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        answer: &Captured,
    ) -> pingora::Result<()> {
        let mut made = Vec::new();
        for (at, rule) in route.objects.creates.iter().enumerate() {
            let text = answer.text(exchange)?;
            let labels = exchange.learnt.labels.get(at).cloned().unwrap_or_default();
            let read = created(route, rule, text, labels);
            made.extend(read.map_err(unreadable(exchange))?);
        }
        self.change_records(exchange, made).await
    }

    /// As [`Self::settle`], where nothing was made.
    pub(in crate::proxy) async fn forget(&self, exchange: &mut Exchange) -> pingora::Result<()> {
        self.change_records(exchange, Vec::new()).await
    }

    async fn change_records(
        &self,
        exchange: &mut Exchange,
        made: Vec<Made>,
    ) -> pingora::Result<()> {
        let is_kept = |key: &ResourceKey| made.iter().any(|made| made.key == *key);
        let doomed = std::mem::take(&mut exchange.learnt.doomed).into_iter();
        let gone: Vec<_> = doomed.filter(|key| !is_kept(key)).collect();
        if made.is_empty() && gone.is_empty() {
            return Ok(());
        }
        exchange.made = made.iter().map(|made| made.key.clone()).collect();
        let Some(changes) = changes(exchange, made, gone) else {
            return Err(fail(exchange, Failure::OwnershipUnrecorded));
        };
        let objects = format!("made {:?}, gone {:?}", changes.made, changes.gone);
        let Err(error) = self.lineage.records().change(changes).await else {
            return Ok(());
        };
        let request_id = exchange.request_id();
        tracing::error!(%error, objects, request_id, "what a request did is not on record");
        let failure = match error {
            OwnersError::Conflict(_) => Failure::OwnershipConflict,
            OwnersError::Unavailable(_) => Failure::OwnershipUnrecorded,
        };
        Err(fail(exchange, failure))
    }
}

fn changes(exchange: &Exchange, made: Vec<Made>, gone: Vec<ResourceKey>) -> Option<Changes> {
    let Outcome::Permitted(permit) = &exchange.outcome else {
        return None;
    };
    let project = permit.project()?;
    Some(Changes {
        actor: record::actor(exchange.facts()),
        tenant: project.tenant,
        project: project.id,
        made,
        gone,
    })
}

/// The objects that a rule finds in an answer.
fn created(
    route: &Route,
    rule: &CreateRule,
    text: &str,
    mut labels: BTreeMap<String, String>,
) -> Result<Vec<Made>, Unreadable> {
    let ids = match ids_at(text, &rule.id) {
        Ok(ids) => ids,
        Err(Unreadable) if rule.optional => Vec::new(),
        Err(Unreadable) => return Err(Unreadable),
    };
    if ids.is_empty() && !rule.optional {
        return Err(Unreadable);
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    for (name, from) in &rule.labels {
        if let LabelSource::Response(pointer) = from
            && let Some(label) = text_at(text, pointer)?
        {
            labels.insert(name.to_string(), label);
        }
    }
    let made = |id: String| Made {
        key: ResourceKey {
            upstream: Arc::clone(route.recorded_at()),
            kind: rule.kind.clone(),
            id: id.into(),
        },
        labels: labels.clone(),
    };
    Ok(ids.into_iter().map(made).collect())
}
