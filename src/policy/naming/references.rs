//! Which objects a request names.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::{Body, Form, Lookup, Malformed, OwnRequest, Question, ResourceRule};
use super::id::{checked, id};
use super::places::{Found, Places};
use crate::domain::ResourceRef;

/// How many objects one request may name.
const MOST: usize = 1000;
/// For how many of them the backend is asked, one by one.
const MOST_ASKED: usize = 100;

/// The objects that a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// What the request is about, for the audit: the first of the route's `resource`, also if
    /// its owner is the backend's matter.
    pub label: Option<ResourceRef>,
    /// Those whose owners are checked, each once, those of the route's `resource` first.
    pub checked: Vec<Checked>,
    /// How many of them are the route's `resource`.
    pub own: usize,
    /// Those of which the backend is asked whether it shows them, each once.
    pub asked: Vec<AskedFor>,
}

/// An object that the backend is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedFor {
    /// How.
    pub request: Arc<OwnRequest>,
    /// By which id.
    pub id: String,
}

impl Names {
    /// Puts ids in the place of names that stand for them.
    pub fn replace(&mut self, id: impl Fn(&Arc<str>, &str) -> Option<String>) {
        let checked = self.checked.iter_mut().map(|object| &mut object.reference);
        for reference in checked.chain(&mut self.label) {
            if let Some(id) = id(&reference.kind, &reference.id) {
                reference.id = id;
            }
        }
    }
}

/// An object whose owner is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Which.
    pub reference: ResourceRef,
    /// Whether the backend may not know it yet.
    pub may_be_absent: bool,
}

/// Finds all objects that a request names.
///
/// # Errors
///
/// If one that must be named is not, two places disagree, or an id is spelt oddly.
pub fn named(question: &Question<'_>, body: Option<&Body>) -> Result<Names, Malformed> {
    let Lookup::Found { route, .. } = &question.lookup else {
        return Ok(Names::default());
    };
    let places = Places::new(question, body);
    let mut objects = Collected::default();
    let mut label = None;
    if let Some(rule) = &route.resource {
        label = objects.add(rule, &places)?;
    }
    let own = objects.checked.len();
    for rule in &route.objects.references {
        objects.add(rule, &places)?;
    }
    Ok(Names {
        label,
        checked: objects.checked,
        own,
        asked: objects.asked,
    })
}

#[derive(Default)]
struct Collected {
    checked: Vec<Checked>,
    asked: Vec<AskedFor>,
    seen: HashMap<(Arc<str>, String), usize>,
}

impl Collected {
    /// Adds what a rule names, and tells the first of it.
    fn add(
        &mut self,
        rule: &ResourceRule,
        places: &Places<'_>,
    ) -> Result<Option<ResourceRef>, Malformed> {
        let objects = objects(rule, places)?;
        let first = objects.first().map(|object| object.reference.clone());
        for Object { reference, backend } in objects {
            if !backend {
                self.check(reference, rule.absent)?;
            } else if let Some(request) = &rule.visible {
                self.ask(request, reference.id)?;
            }
        }
        Ok(first)
    }

    fn ask(&mut self, request: &Arc<OwnRequest>, id: String) -> Result<(), Malformed> {
        let asked = AskedFor {
            request: Arc::clone(request),
            id,
        };
        if self.asked.contains(&asked) {
            return Ok(());
        }
        if self.asked.len() == MOST_ASKED {
            return Err(Malformed::TooManyResources);
        }
        self.asked.push(asked);
        Ok(())
    }

    /// Once, and as strictly as the strictest rule that finds it.
    fn check(&mut self, reference: ResourceRef, may_be_absent: bool) -> Result<(), Malformed> {
        let key = (Arc::clone(&reference.kind), reference.id.clone());
        if let Some(at) = self.seen.get(&key) {
            self.checked[*at].may_be_absent &= may_be_absent;
            return Ok(());
        }
        if self.checked.len() == MOST {
            return Err(Malformed::TooManyResources);
        }
        self.seen.insert(key, self.checked.len());
        self.checked.push(Checked {
            reference,
            may_be_absent,
        });
        Ok(())
    }
}

struct Object {
    reference: ResourceRef,
    backend: bool,
}

/// What a rule names: the same in each of its places that is not empty.
fn objects(rule: &ResourceRule, places: &Places<'_>) -> Result<Vec<Object>, Malformed> {
    let mut agreed: Option<Vec<Object>> = None;
    for source in &rule.ids {
        let values = places.values(source)?;
        let complete = values.iter().all(Option::is_some);
        let values = values.into_iter().flatten();
        let objects = values.map(|value| object(rule, value));
        let objects = objects.collect::<Result<Vec<_>, _>>()?;
        if objects.is_empty() {
            continue;
        }
        // What an element without an id is about, nobody knows.
        if !complete && rule.must_be_named() {
            return Err(Malformed::ResourceRequired);
        }
        match &agreed {
            None => agreed = Some(objects),
            Some(others) if keys(others) == keys(&objects) => {}
            Some(_) => return Err(Malformed::ResourceConflict),
        }
    }
    match agreed {
        None if rule.must_be_named() => Err(Malformed::ResourceRequired),
        found => Ok(found.unwrap_or_default()),
    }
}

fn keys(objects: &[Object]) -> BTreeSet<(&str, &str)> {
    let references = objects.iter().map(|object| &object.reference);
    references.map(|it| (&*it.kind, &*it.id)).collect()
}

fn object(rule: &ResourceRule, value: Found<'_>) -> Result<Object, Malformed> {
    if rule.visible.is_some() {
        return Ok(Object::new(&rule.kind, id(value)?, rule.backend));
    }
    if rule.backend && rule.forms.is_empty() {
        // The backend's own matter, which is told in the audit as it is.
        return Ok(Object::new(&rule.kind, value.text()?.into_owned(), true));
    }
    if rule.forms.is_empty() {
        return Ok(Object::new(&rule.kind, id(value)?, false));
    }
    let text = value.text()?;
    let fitting = |form: &'_ Form| form.split(&text).map(|found| (form.clone(), found));
    let found = rule.forms.iter().find_map(fitting);
    let (form, (id, rest)) = found.ok_or(Malformed::ResourceForm)?;
    checked(id)?;
    if leads_away(rest) {
        return Err(Malformed::ResourceForm);
    }
    Ok(Object::new(&form.kind, id.to_owned(), form.backend))
}

/// Whether a path may end elsewhere than behind the id that it begins with, once it is
/// decoded and tidied up.
fn leads_away(path: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '%' | '\\');
    path.contains(odd) || path.split('/').any(|segment| matches!(segment, "." | ".."))
}

impl Object {
    fn new(kind: &Arc<str>, id: String, backend: bool) -> Self {
        Self {
            reference: ResourceRef {
                kind: Arc::clone(kind),
                id,
            },
            backend,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_stays_behind_its_id() {
        for rest in ["", "a", "a/b.txt", "a..b", "...", "a/", "//", "Ü b"] {
            assert!(!leads_away(rest), "{rest}");
        }
        for rest in [
            "..", "../b", "a/../b", "a/..", ".", "a/./b", "%2e%2e", "a\\b", "a\nb",
        ] {
            assert!(leads_away(rest), "{rest}");
        }
    }
}
