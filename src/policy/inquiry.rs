//! What a request tells of objects, and all that is known of them once their owners are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::namespace::{Choice, Sought, chosen, lookups};
use super::{
    AskedFor, Body, Denial, LabelPairs, LabelSource, Lookup, Named, NamedObjects, Names, Question,
    Route, named, request_labels, request_params,
};
use crate::domain::{ResourceKey, Whose};

/// Texts by name.
type Labels = BTreeMap<String, String>;

/// What a request tells of objects; nothing, without a route.
#[derive(Debug, Default)]
pub struct Inquiry {
    names: Names,
    keys: Vec<ResourceKey>,
    sought: Sought,
    name_keys: Vec<ResourceKey>,
    labels: Vec<Labels>,
    params: LabelPairs,
    made: Option<Labels>,
}

/// The objects that a request names, with their owners.
#[derive(Debug, Default)]
pub struct KnownObjects {
    named: Vec<Named>,
    owners: Vec<Whose>,
    made: Option<Labels>,
    params: LabelPairs,
}

impl Inquiry {
    /// Of this request.
    ///
    /// # Errors
    ///
    /// If what it tells has no single meaning.
    pub fn of(question: &Question<'_>, body: Option<&Body>) -> Result<Self, Denial> {
        let Lookup::Found { route, .. } = &question.lookup else {
            return Ok(Self::default());
        };
        let names = named(question, body).map_err(Denial::from)?;
        let rules = route.objects.creates.iter();
        let labels = rules.map(|rule| request_labels(question, body, rule).map(texts));
        let labels: Vec<Labels> = labels.collect::<Result<_, _>>().map_err(Denial::from)?;
        let params = request_params(question, body, &route.objects);
        let sought = lookups(question, body, &names).map_err(Denial::from)?;
        let name_keys = sought.keys().map(|(kind, id)| key(route, kind, id));
        Ok(Self {
            name_keys: name_keys.collect(),
            sought,
            keys: keys(route, &names),
            made: told(route, &labels),
            params: params.map_err(Denial::from)?,
            labels,
            names,
        })
    }

    /// The objects that names in it may mean, where names are apart: their owners are to be
    /// asked for first.
    #[must_use]
    pub fn name_keys(&self) -> &[ResourceKey] {
        &self.name_keys
    }

    /// Chooses among them, with their owners in their order.
    ///
    /// # Errors
    ///
    /// If a name means objects of several projects.
    pub fn choose(&mut self, question: &Question<'_>, owners: &[Whose]) -> Result<Choice, Denial> {
        let choice = chosen(question, std::mem::take(&mut self.sought), owners)?;
        if let Lookup::Found { route, .. } = &question.lookup {
            let id = |kind: &Arc<str>, name: &str| choice.id(kind, name).map(str::to_owned);
            self.names.replace(id);
            self.keys = keys(route, &self.names);
        }
        Ok(choice)
    }

    /// The objects whose owners are to be asked for.
    #[must_use]
    pub fn keys(&self) -> &[ResourceKey] {
        &self.keys
    }

    /// Those of them that the request is about; the others it refers to.
    #[must_use]
    pub fn own_keys(&self) -> &[ResourceKey] {
        self.keys.get(..self.names.own).unwrap_or_default()
    }

    /// What it tells of what it makes, by rule.
    #[must_use]
    pub fn labels(&self) -> &[Labels] {
        &self.labels
    }

    /// The objects that the backend is to be asked for: whether it shows them.
    #[must_use]
    pub fn take_asked(&mut self) -> Vec<AskedFor> {
        std::mem::take(&mut self.names.asked)
    }

    /// With the owners of [`Self::keys`], in their order.
    #[must_use]
    pub fn answered(self, owners: Vec<Whose>) -> KnownObjects {
        let mut known = KnownObjects {
            owners,
            made: self.made,
            params: self.params,
            named: Vec::new(),
        };
        // What is not checked is named first, where it is what the request is about.
        if let Some(label) = self.names.label.filter(|_| self.names.own == 0) {
            known.named.push(Named {
                kind: label.kind,
                id: label.id.into(),
                enforced: false,
                may_be_absent: false,
            });
            known.owners.insert(0, Whose::Nobodys);
        }
        let checked = self.names.checked.into_iter().map(|object| Named {
            kind: object.reference.kind,
            id: object.reference.id.into(),
            enforced: true,
            may_be_absent: object.may_be_absent,
        });
        known.named.extend(checked);
        known
    }
}

impl KnownObjects {
    /// For the question.
    #[must_use]
    pub fn named(&self) -> NamedObjects<'_> {
        NamedObjects {
            named: &self.named,
            owners: &self.owners,
            made: self.made.as_ref(),
            params: &self.params,
        }
    }
}

fn keys(route: &Route, names: &Names) -> Vec<ResourceKey> {
    let references = names.checked.iter().map(|object| &object.reference);
    let keys = references.map(|it| key(route, &it.kind, &it.id));
    keys.collect()
}

fn key(route: &Route, kind: &Arc<str>, id: &str) -> ResourceKey {
    ResourceKey {
        upstream: Arc::clone(route.recorded_at()),
        kind: Arc::clone(kind),
        id: id.into(),
    }
}

/// What the request tells of what it makes; `None` if the answer is to tell some of it.
fn told(route: &Route, labels: &[Labels]) -> Option<Labels> {
    let rules = &route.objects.creates;
    let mut sources = rules.iter().flat_map(|rule| &rule.labels);
    let by_request = |(_, from): &(_, LabelSource)| matches!(from, LabelSource::Request(_));
    (!rules.is_empty() && sources.all(by_request))
        .then(|| labels.iter().flat_map(BTreeMap::clone).collect())
}

fn texts(labels: LabelPairs) -> Labels {
    let labels = labels.into_iter();
    labels
        .map(|(name, text)| (name.to_string(), text))
        .collect()
}
