//! Whose the objects are that the request names.

use std::collections::BTreeMap;

use serde::Serialize;

use super::verdict::Verdict;
use crate::domain::{ResourceKey, Scope, Whose};
use crate::policy::{RoleTable, Route};

/// An object that the request names.
#[derive(Debug, Serialize)]
pub(super) struct Object {
    #[serde(flatten)]
    key: ResourceKey,
    /// `owned`, `nobodys`, `absent`, or `unknown`: its backend was not asked.
    state: &'static str,
    /// TENANT/PROJECT.
    owner: Option<String>,
    labels: BTreeMap<String, String>,
}

/// All of them.
pub(super) fn objects(verdict: &Verdict, table: &RoleTable) -> Vec<Object> {
    let all = verdict.objects().iter();
    all.map(|(key, whose)| Object::new(key, whose.as_ref(), table))
        .collect()
}

/// Where rights count for the first object that somebody owns.
pub(super) fn scope(verdict: &Verdict) -> Option<Scope> {
    let mut owners = verdict
        .objects()
        .iter()
        .filter_map(|(_, whose)| whose.as_ref()?.owner());
    owners.next().map(|owner| Scope::Resource {
        project: owner.project,
        id: owner.resource,
    })
}

impl Object {
    fn new(key: &ResourceKey, whose: Option<&Whose>, table: &RoleTable) -> Self {
        let owner = whose.and_then(Whose::owner);
        let path = owner.map(|owner| super::held::path(owner.project, table));
        Self {
            key: key.clone(),
            state: match whose {
                Some(Whose::Owned(_)) => "owned",
                Some(Whose::Nobodys) => "nobodys",
                Some(Whose::Absent) => "absent",
                None => "unknown",
            },
            owner: path,
            labels: owner.map_or_else(BTreeMap::new, |owner| (*owner.labels).clone()),
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { key, labels, .. } = self;
        let whose = match (&self.owner, self.state) {
            (Some(owner), _) => format!("belongs to {owner}"),
            (None, "absent") => "the backend has none".to_owned(),
            (None, "unknown") => "its backend would have to be asked (--ask)".to_owned(),
            (None, _) => "nobody has it on record".to_owned(),
        };
        let labels = labels.iter().map(|(name, text)| format!(" {name}={text}"));
        format!("{key}: {whose}{}", labels.collect::<String>())
    }
}

/// What is judged when the answer is there: what the request alone does not decide.
pub(super) fn afterwards(route: &Route) -> Vec<String> {
    let filters = route.objects.filters.iter();
    let filters =
        filters.map(|rule| format!("of the list stays each {} that may be seen", rule.kind));
    let answers = route.objects.answers.iter();
    let answers = answers.map(|rule| {
        format!(
            "answered only if the {} that it tells of may be seen",
            rule.kind
        )
    });
    filters.chain(answers).collect()
}
