//! Objects of backends, and whose they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ProjectId, ResourceId};

/// What names an object: unique over all of the gateway's backends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceKey {
    /// Name of its upstream.
    pub upstream: Arc<str>,
    /// Its type.
    pub kind: Arc<str>,
    /// Its id there.
    pub id: Box<str>,
}

/// What the gateway has on record of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The record.
    pub resource: ResourceId,
    /// Whose it is.
    pub project: ProjectId,
    /// `environment` and tags, for conditions.
    pub labels: Arc<BTreeMap<String, String>>,
}
