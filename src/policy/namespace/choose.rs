//! Which object a name means.
//!
//! A name whose object's id it is means, in this order: the caller's object of exactly that
//! name, in the project that counts (one from before, or a name that was shown whole); the one
//! of that name in the project; one of exactly that name elsewhere. Where no project counts, it
//! means the only one among the caller's projects.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::decide::reading;
use super::super::find_scope::{Entry, named_project, own};
use super::super::naming::{Names, Places, checked};
use super::super::{
    Authentication, Body, Denial, DenialReason, Lookup, Malformed, Question, RoleTable, Subject,
};
use super::NamePlaces;
use super::filter::{NameTest, Search};
use crate::domain::{Project, ProjectId, Scope, Tenant, Whose};

/// Projects of a caller in which a name is looked for, where none is named.
const MOST_PROJECTS: usize = 8;
/// Objects asked for at most because of one request.
const MOST: usize = 4000;

/// A project whose names count.
#[derive(Clone, Debug)]
pub struct Home {
    /// Its tenant.
    pub tenant: Arc<Tenant>,
    /// Itself.
    pub project: Arc<Project>,
}

impl Home {
    fn of(table: &RoleTable, project: &Arc<Project>) -> Option<Self> {
        Some(Self {
            tenant: table.tenant(project.tenant)?.clone(),
            project: Arc::clone(project),
        })
    }
}

/// Names whose objects must be asked for.
#[derive(Debug, Default)]
pub struct Sought {
    home: Option<Home>,
    /// Without a home: where else to look.
    others: Vec<Home>,
    /// Whether there are more of these than are looked at.
    crowded: bool,
    names: Vec<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    kind: Arc<str>,
    name: String,
    /// Whether the request is about it, and not only filters by it or makes it.
    must_be: bool,
    /// The ids that it may mean: first the name itself.
    ids: Vec<String>,
}

/// What names mean.
#[derive(Debug, Default)]
pub struct Choice {
    /// The project that the request or its credential names, or the caller's only one.
    pub home: Option<Home>,
    /// Without it: the caller's projects, if they are few.
    pub others: Vec<Home>,
    /// Whether they are many.
    pub crowded: bool,
    /// What is asked of the names in the answer's list.
    pub tests: Vec<NameTest>,
    /// The id of each name's object.
    ids: HashMap<(Arc<str>, String), String>,
    /// Objects whose ids are names as the client writes them, and whose they are.
    bare: HashMap<(Arc<str>, String), ProjectId>,
}

impl Choice {
    /// The id that a name stands for.
    #[must_use]
    pub fn id(&self, kind: &Arc<str>, name: &str) -> Option<&str> {
        let found = self.ids.get(&(Arc::clone(kind), name.to_owned()));
        found.map(String::as_str)
    }

    /// Whether an object of exactly this name is the project's: one from before.
    pub(super) fn is_own(&self, kind: &Arc<str>, name: &str, project: ProjectId) -> bool {
        let owner = self.bare.get(&(Arc::clone(kind), name.to_owned()));
        owner == Some(&project)
    }
}

impl Sought {
    /// Type and id of each object that must be asked for.
    pub fn keys(&self) -> impl Iterator<Item = (&Arc<str>, &str)> {
        let ids = |wanted: &'_ Wanted| wanted.ids.len();
        self.names
            .iter()
            .flat_map(move |wanted| (0..ids(wanted)).map(move |at| (wanted, at)))
            .map(|(wanted, at)| (&wanted.kind, wanted.ids[at].as_str()))
    }
}

/// The names that a request holds of types whose names are apart.
///
/// # Errors
///
/// If one is no name, or there are too many.
pub fn lookups(
    question: &Question<'_>,
    body: Option<&Body>,
    names: &Names,
) -> Result<Sought, Malformed> {
    let Lookup::Found { route, .. } = &question.lookup else {
        return Ok(Sought::default());
    };
    let places = &route.objects.names;
    if places.is_empty() {
        return Ok(Sought::default());
    }
    let mut sought = at_home(question)?;
    for object in &names.checked {
        let reference = &object.reference;
        sought.add(places, &reference.kind, &reference.id, true)?;
    }
    let texts = |place: &super::NamePlace| -> Result<Vec<String>, Malformed> {
        let found = Places::new(question, body).values(&place.at)?;
        let found = found.into_iter().flatten();
        found.map(|it| Ok(it.text()?.into_owned())).collect()
    };
    for place in &places.made {
        for name in texts(place)? {
            sought.add(places, &place.kind, &name, false)?;
        }
    }
    for place in &places.filters {
        for text in texts(place)? {
            for name in Search::read(&text)?.equal() {
                sought.add(places, &place.kind, name, false)?;
            }
        }
    }
    let asked: usize = sought.names.iter().map(|wanted| wanted.ids.len()).sum();
    if asked > MOST {
        return Err(Malformed::TooManyResources);
    }
    Ok(sought)
}

/// A project that is named and closed to the caller is no home; that is told by the decision.
fn at_home(question: &Question<'_>) -> Result<Sought, Malformed> {
    let (Lookup::Found { route, .. }, Authentication::Authenticated(subject)) =
        (&question.lookup, question.authentication)
    else {
        return Ok(Sought::default());
    };
    let table = question.table;
    let name = reading::named_project(question, route)?;
    let mut own: Vec<Home> = match named_project(table, subject, name, Entry::Part) {
        Ok(Some(project)) => Home::of(table, &project).into_iter().collect(),
        Ok(None) => {
            let own = own(table, subject).take(MOST_PROJECTS + 1);
            own.filter_map(|project| Home::of(table, project)).collect()
        }
        Err(_) => Vec::new(),
    };
    Ok(match own.len() {
        0 => Sought::default(),
        1 => Sought {
            home: own.pop(),
            ..Sought::default()
        },
        many => Sought {
            crowded: many > MOST_PROJECTS,
            others: if many > MOST_PROJECTS {
                Vec::new()
            } else {
                own
            },
            ..Sought::default()
        },
    })
}

impl Sought {
    fn add(
        &mut self,
        places: &NamePlaces,
        kind: &Arc<str>,
        name: &str,
        must_be: bool,
    ) -> Result<(), Malformed> {
        let Some(namespace) = places.of_ids(kind) else {
            return Ok(());
        };
        let mut ids = vec![name.to_owned()];
        for home in self.home.iter().chain(&self.others) {
            let prefix = namespace.of(&home.tenant, &home.project);
            let id = prefix.ok_or(Malformed::ResourceId)?.put(name);
            if id != name {
                checked(&id)?;
            }
            ids.push(id);
        }
        checked(name)?;
        self.names.push(Wanted {
            kind: Arc::clone(kind),
            name: name.to_owned(),
            must_be,
            ids,
        });
        Ok(())
    }
}

/// Chooses among the objects that are there; `whose` tells of each of [`Sought::keys`].
///
/// # Errors
///
/// If several of the caller's projects have an object that the request is about.
pub fn chosen(question: &Question<'_>, sought: Sought, whose: &[Whose]) -> Result<Choice, Denial> {
    let Authentication::Authenticated(subject) = question.authentication else {
        return Ok(Choice::default());
    };
    let mut choice = Choice::default();
    let mut whose = whose.iter();
    for wanted in &sought.names {
        let owners: Vec<&Whose> = whose.by_ref().take(wanted.ids.len()).collect();
        let open: Vec<Option<ProjectId>> = owners
            .iter()
            .map(|whose| open_to(question.table, subject, whose))
            .collect();
        let key = (Arc::clone(&wanted.kind), wanted.name.clone());
        if let Some(project) = open.first().copied().flatten() {
            choice.bare.insert(key.clone(), project);
        }
        if let Some(id) = sought.pick(wanted, &open)? {
            choice.ids.insert(key, id);
        }
    }
    choice.home = sought.home;
    choice.others = sought.others;
    choice.crowded = sought.crowded;
    Ok(choice)
}

/// Its project, if the caller has a role there and the credential counts.
fn open_to(table: &RoleTable, subject: &Subject, whose: &Whose) -> Option<ProjectId> {
    let owner = whose.owner()?;
    let object = Scope::Resource {
        project: owner.project,
        id: owner.resource,
    };
    let open =
        table.admits(subject.principal.id, object) && subject.credential.admits(owner.project);
    open.then_some(owner.project)
}

impl Sought {
    fn pick(&self, wanted: &Wanted, open: &[Option<ProjectId>]) -> Result<Option<String>, Denial> {
        let bare = open.first().copied().flatten();
        let id = |at: usize| Ok(wanted.ids.get(at).cloned());
        if let Some(home) = &self.home {
            let own = bare == Some(home.project.id);
            let prefixed = open.get(1).is_some_and(Option::is_some);
            // One that is not there at all is named as it would be.
            let as_written = own || (!prefixed && bare.is_some());
            return id(usize::from(!as_written));
        }
        if bare.is_some() {
            return id(0);
        }
        let mut fitting = (1..open.len()).filter(|at| open[*at].is_some());
        match (fitting.next(), fitting.next()) {
            (Some(_), Some(_)) if wanted.must_be => {
                Err(Denial::new(DenialReason::ProjectAmbiguous))
            }
            (None, _) if wanted.must_be && self.crowded => {
                Err(Denial::new(DenialReason::ProjectRequired))
            }
            (Some(at), None) => id(at),
            _ => Ok(None),
        }
    }
}
