//! Whose an object is: by its record, or by that of the object it belongs to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::Asker;
use super::parents::Parent;
use crate::cache::{Owners, OwnersError};
use crate::domain::{ResourceKey, Whose};
use crate::policy::{Asking, Ownership, ViaBy};
use crate::proxy::rescue::Failure;
use crate::proxy::rules::Rules;

/// Longest way from a child to the object that is owned.
pub(super) const MAX_STEPS: usize = 4;
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

/// How far the way from a child to the object that is owned was gone.
#[derive(Clone, Debug)]
enum Way {
    /// To this object.
    At(ResourceKey),
    /// To nothing.
    Lost,
    /// Nowhere: there is no such child.
    NoChild,
}

impl Way {
    const fn at(&self) -> Option<&ResourceKey> {
        match self {
            Self::At(key) => Some(key),
            Self::Lost | Self::NoChild => None,
        }
    }

    fn forget_absence(&mut self) {
        if matches!(self, Self::NoChild) {
            *self = Self::Lost;
        }
    }

    fn to(key: Option<ResourceKey>) -> Self {
        key.map_or(Self::Lost, Self::At)
    }
}

type Ways = Vec<Way>;

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

    /// Whose these objects are, in their order.
    pub(in crate::proxy) async fn find(
        &self,
        rules: &Rules,
        objects: &[ResourceKey],
    ) -> Result<Vec<Whose>, Unresolved> {
        let found = tokio::time::timeout(PATIENCE, self.follow(rules, objects)).await;
        found.unwrap_or(Err(Unresolved::Backend(Failure::UpstreamTimeout)))
    }

    async fn follow(
        &self,
        rules: &Rules,
        objects: &[ResourceKey],
    ) -> Result<Vec<Whose>, Unresolved> {
        let mut ways: Ways = objects.iter().cloned().map(Way::At).collect();
        for step in 0..MAX_STEPS {
            let children = children(rules, &ways);
            if children.is_empty() {
                break;
            }
            for (group, places) in children {
                self.step(rules, &group, &places, &mut ways).await?;
                if step > 0 {
                    // A parent that is gone does not make its child one that never was.
                    for place in &places {
                        ways[*place].forget_absence();
                    }
                }
            }
        }
        // What has not arrived by now belongs to nobody.
        for places in children(rules, &ways).into_values() {
            for place in places {
                ways[place] = Way::Lost;
            }
        }
        self.recorded(&ways).await
    }

    async fn recorded(&self, ways: &Ways) -> Result<Vec<Whose>, Unresolved> {
        let ends: Vec<ResourceKey> = ways.iter().filter_map(Way::at).cloned().collect();
        let mut owners = self.owners.find(&ends).await?.into_iter();
        let whose = |way: &Way| match way {
            Way::At(_) => owners.next().flatten().map_or(Whose::Nobodys, Whose::Owned),
            Way::Lost => Whose::Nobodys,
            Way::NoChild => Whose::Absent,
        };
        Ok(ways.iter().map(whose).collect())
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
                    // The last one: an id that holds more of them is nobody's rather than
                    // that of a shorter name.
                    let child = ways[*place].at();
                    let parts = child.and_then(|child| child.id.rsplit_once(&**separator));
                    ways[*place] = Way::to(parts.map(|(parent, _)| to(parent)));
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
        let mut parents: HashMap<ResourceKey, Option<Way>> = HashMap::new();
        for child in places.iter().filter_map(|place| ways[*place].at()) {
            let settled = asking.immutable.then(|| self.settled.get(child)).flatten();
            parents.insert(child.clone(), settled.map(Way::At));
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
                let way = match parent {
                    Parent::Is(id) => Way::At(to(&id)),
                    Parent::Unknown => Way::Lost,
                    Parent::NoChild => Way::NoChild,
                };
                if let (true, Some(parent)) = (asking.immutable, way.at()) {
                    self.settled.insert(child.clone(), parent.clone());
                }
                parents.insert(child.clone(), Some(way));
            }
        }
        for place in places {
            let parent = ways[*place]
                .at()
                .and_then(|child| parents.get(child)?.clone());
            ways[*place] = parent.unwrap_or(Way::Lost);
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
        let Some(key) = way.at() else {
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
