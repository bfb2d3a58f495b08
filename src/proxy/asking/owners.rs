//! Whose an object is: by its record, or by that of the object it belongs to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::Asker;
use crate::cache::{Owners, OwnersError};
use crate::domain::{Owner, ResourceKey};
use crate::policy::{Asking, Ownership, ViaBy};
use crate::proxy::rescue::Failure;
use crate::proxy::rules::Rules;

/// Longest way from a child to the object that is owned.
const MAX_STEPS: usize = 4;
/// Children held at most whose parents never change.
const CAPACITY: u64 = 200_000;
/// How long all questions for one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one is held that nobody asks for.
const IDLE: Duration = Duration::from_hours(1);

/// Finds owners.
pub struct Lineage {
    asker: Arc<Asker>,
    owners: Arc<Owners>,
    /// Parents that never change, by child.
    settled: Cache<ResourceKey, ResourceKey>,
}

/// Whose an object is cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum Unresolved {
    #[error(transparent)]
    Database(#[from] OwnersError),
    #[error("the backend does not tell what the object belongs to: {}", .0.code())]
    Backend(Failure),
}

/// A way, and where it has come to; `None`: to nothing.
type Ways = Vec<Option<ResourceKey>>;

impl Lineage {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(asker: Arc<Asker>, owners: Arc<Owners>) -> Self {
        let settled = Cache::builder()
            .max_capacity(CAPACITY)
            .time_to_idle(IDLE)
            .build();
        Self {
            asker,
            owners,
            settled,
        }
    }

    /// Asks backends.
    pub(in crate::proxy) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// The records.
    pub(in crate::proxy) fn records(&self) -> &Owners {
        &self.owners
    }

    /// The owners of these objects, in their order; `None` for what nobody owns.
    pub(in crate::proxy) async fn find(
        &self,
        rules: &Rules,
        objects: &[ResourceKey],
    ) -> Result<Vec<Option<Owner>>, Unresolved> {
        let found = tokio::time::timeout(PATIENCE, self.follow(rules, objects)).await;
        found.unwrap_or(Err(Unresolved::Backend(Failure::UpstreamTimeout)))
    }

    async fn follow(
        &self,
        rules: &Rules,
        objects: &[ResourceKey],
    ) -> Result<Vec<Option<Owner>>, Unresolved> {
        let mut ways: Ways = objects.iter().cloned().map(Some).collect();
        for _ in 0..MAX_STEPS {
            let children = children(rules, &ways);
            if children.is_empty() {
                break;
            }
            for (group, places) in children {
                self.step(rules, &group, &places, &mut ways).await?;
            }
        }
        // What has not arrived by now belongs to nobody.
        for places in children(rules, &ways).into_values() {
            for place in places {
                ways[place] = None;
            }
        }
        self.recorded(&ways).await
    }

    async fn recorded(&self, ways: &Ways) -> Result<Vec<Option<Owner>>, Unresolved> {
        let ends: Vec<ResourceKey> = ways.iter().flatten().cloned().collect();
        let mut owners = self.owners.find(&ends).await?.into_iter();
        let owner = |way: &Option<ResourceKey>| way.as_ref().and_then(|_| owners.next()?);
        Ok(ways.iter().map(owner).collect())
    }

    /// From the children of one type to their parents.
    async fn step(
        &self,
        rules: &Rules,
        group: &Group,
        places: &[usize],
        ways: &mut Ways,
    ) -> Result<(), Unresolved> {
        let Some(Ownership::Via(via)) = rules.ownership(&group.upstream, &group.kind) else {
            return Ok(());
        };
        let to = |id: &str| ResourceKey {
            upstream: Arc::clone(&group.upstream),
            kind: Arc::clone(&via.parent),
            id: id.into(),
        };
        match &via.by {
            ViaBy::Prefix(separator) => {
                for place in places {
                    let way = &mut ways[*place];
                    *way = way.take().and_then(|child| {
                        // The last one: an id that holds more of them is nobody's rather
                        // than that of a shorter name.
                        let (parent, _) = child.id.rsplit_once(&**separator)?;
                        Some(to(parent))
                    });
                }
                Ok(())
            }
            ViaBy::Asking(asking) => self.ask(rules, group, asking, places, ways, &to).await,
        }
    }

    async fn ask(
        &self,
        rules: &Rules,
        group: &Group,
        asking: &Asking,
        places: &[usize],
        ways: &mut Ways,
        to: &(impl Fn(&str) -> ResourceKey + Sync),
    ) -> Result<(), Unresolved> {
        let mut parents: HashMap<ResourceKey, Option<ResourceKey>> = HashMap::new();
        for child in places.iter().filter_map(|place| ways[*place].as_ref()) {
            let settled = asking.immutable.then(|| self.settled.get(child)).flatten();
            parents.insert(child.clone(), settled);
        }
        let open = parents.iter().filter(|(_, parent)| parent.is_none());
        let open: Vec<ResourceKey> = open.map(|(child, _)| child.clone()).collect();
        if !open.is_empty() {
            let upstream = rules.upstreams.find(&group.upstream);
            let upstream = upstream.ok_or(Unresolved::Backend(Failure::Internal))?;
            let ids: Vec<&str> = open.iter().map(|child| &*child.id).collect();
            let told = self.asker.parents(upstream, asking, &ids).await;
            let told = told.map_err(Unresolved::Backend)?;
            for (child, parent) in open.iter().zip(told) {
                let parent = parent.map(|id| to(&id));
                if let (true, Some(parent)) = (asking.immutable, &parent) {
                    self.settled.insert(child.clone(), parent.clone());
                }
                parents.insert(child.clone(), parent);
            }
        }
        for place in places {
            let way = &mut ways[*place];
            *way = way.take().and_then(|child| parents.get(&child)?.clone());
        }
        Ok(())
    }
}

/// Objects of one type.
#[derive(PartialEq, Eq, Hash)]
struct Group {
    upstream: Arc<str>,
    kind: Arc<str>,
}

/// Those that lead on to a parent, by type.
fn children(rules: &Rules, ways: &Ways) -> HashMap<Group, Vec<usize>> {
    let mut groups: HashMap<Group, Vec<usize>> = HashMap::new();
    for (place, way) in ways.iter().enumerate() {
        let Some(key) = way else {
            continue;
        };
        let ownership = rules.ownership(&key.upstream, &key.kind);
        if matches!(ownership, Some(Ownership::Via(_))) {
            let group = Group {
                upstream: Arc::clone(&key.upstream),
                kind: Arc::clone(&key.kind),
            };
            groups.entry(group).or_default().push(place);
        }
    }
    groups
}
