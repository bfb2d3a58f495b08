//! The backend's names, written into a request that is permitted.

use std::sync::Arc;

use super::super::{
    AmbiguousParameter, Body, CanonicalRequest, Denial, DenialReason, Malformed, Objects,
    ResourceRule, Route, Source,
};
use super::filter::Search;
use super::{Choice, Home, NamePlace, NameTest};

/// Writes them, and returns what is to be looked at in the names of a list. `home` is the
/// project of the decision, else the caller's only one.
///
/// # Errors
///
/// If a name that is made has no project to be made in, or a place holds no name.
pub fn write_names(
    route: &Route,
    choice: &Choice,
    home: Option<&Home>,
    request: &mut CanonicalRequest,
    body: Option<&mut Body>,
) -> Result<Vec<NameTest>, Denial> {
    let objects = &route.objects;
    if objects.names.is_empty() {
        return Ok(Vec::new());
    }
    let mut scribe = Scribe {
        objects,
        request,
        body,
    };
    for rule in route.resource.iter().chain(&objects.references) {
        scribe.ids(rule, choice)?;
    }
    for place in &objects.names.made {
        scribe.made(place, choice, home)?;
    }
    let mut tests = Vec::new();
    for place in &objects.names.filters {
        if let Some(home) = home {
            tests.extend(scribe.filter(place, choice, home)?);
        }
    }
    Ok(tests)
}

/// Writes a name by which something is sought.
///
/// # Errors
///
/// If there is no such place.
pub fn put_sought(
    objects: &Objects,
    place: &NamePlace,
    name: &str,
    request: &mut CanonicalRequest,
    body: Option<&mut Body>,
) -> Result<(), Malformed> {
    let mut scribe = Scribe {
        objects,
        request,
        body,
    };
    scribe.rewrite(&place.at, |_| Ok(Some(name.to_owned())))
}

struct Scribe<'r> {
    objects: &'r Objects,
    request: &'r mut CanonicalRequest,
    body: Option<&'r mut Body>,
}

impl Scribe<'_> {
    fn rewrite(
        &mut self,
        at: &Source,
        mut new: impl FnMut(&str) -> Result<Option<String>, Malformed>,
    ) -> Result<(), Malformed> {
        let keys = self.objects.keys;
        match at {
            Source::Query(name) => {
                let value = self.request.query().single(name, keys);
                let value = value.map_err(|AmbiguousParameter| Malformed::RepeatedParameter)?;
                let changed = match value.filter(|value| !value.is_empty()) {
                    Some(value) => new(&value)?,
                    None => None,
                };
                if let Some(changed) = changed {
                    self.request.set_query(name, keys, &changed);
                }
                Ok(())
            }
            Source::Body(pointer) => match &mut self.body {
                Some(body) => body.rewrite(pointer, |text| match text {
                    "" => Ok(None),
                    text => new(text),
                }),
                None => Ok(()),
            },
            // None of these is written; the configuration has no such place.
            Source::Path(_) | Source::QueryEach(_) | Source::Header(_) => Ok(()),
        }
    }

    /// Ids that are names, alone or in a form.
    fn ids(&mut self, rule: &ResourceRule, choice: &Choice) -> Result<(), Malformed> {
        for at in &rule.ids {
            self.rewrite(at, |text| {
                if rule.forms.is_empty() {
                    return Ok(choice.id(&rule.kind, text).map(str::to_owned));
                }
                let mut forms = rule.forms.iter();
                let found = forms.find_map(|form| Some((form, form.split(text)?)));
                Ok(found.and_then(|(form, (id, rest))| {
                    let id = choice.id(&form.kind, id)?;
                    Some(format!("{}{id}{}{rest}", form.before, form.after))
                }))
            })?;
        }
        Ok(())
    }

    /// The project's own prefix, whatever else: this keeps projects apart. A name that is
    /// already the project's own, from before, would not be made but found taken.
    fn made(
        &mut self,
        place: &NamePlace,
        choice: &Choice,
        home: Option<&Home>,
    ) -> Result<(), Denial> {
        let Some(namespace) = self.objects.names.namespace(&place.kind) else {
            return Ok(());
        };
        let prefix = home.and_then(|home| Some((namespace.of(&home.tenant, &home.project)?, home)));
        let (prefix, home) = prefix.ok_or_else(|| Denial::new(DenialReason::Internal))?;
        let kind = &place.kind;
        self.rewrite(&place.at, |name| {
            if name.contains(char::is_control) {
                return Err(Malformed::ResourceId);
            }
            let is_own = choice.is_own(kind, name, home.project.id);
            Ok((!is_own).then(|| prefix.put(name)))
        })?;
        Ok(())
    }

    fn filter(
        &mut self,
        place: &NamePlace,
        choice: &Choice,
        home: &Home,
    ) -> Result<Vec<NameTest>, Malformed> {
        let Some(prefix) = self.objects.names.prefix(&place.kind, home) else {
            return Ok(Vec::new());
        };
        let kind: &Arc<str> = &place.kind;
        let mut tests = Vec::new();
        self.rewrite(&place.at, |text| {
            let search = Search::read(text)?;
            let exact = |name: &str| choice.id(kind, name).map(str::to_owned);
            let widened = search.widened(&prefix, exact);
            tests.extend(search.tests());
            Ok(Some(widened))
        })?;
        Ok(tests)
    }
}
