//! Objects of backends, and whose they are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{ProjectId, ResourceId};

/// What names an object: unique over all of the gateway's backends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ResourceKey {
    /// Name of its upstream.
    pub upstream: Arc<str>,
    /// Its type.
    #[serde(rename = "type")]
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

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` of {}", self.kind, self.id, self.upstream)
    }
}
