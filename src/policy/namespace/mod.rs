//! Names that a backend shares among all its tenants.
//!
//! Where a backend has one heap of names, whoever asks for one that is taken learns that
//! somebody has it. So each project has names of its own there: what its people call `foo` is
//! `acme.churn.foo` to the backend. The gateway writes that into requests, and takes it off in
//! answers.
//!
//! Only one thing keeps projects apart: a name that is made begins with the project's own
//! prefix, which no other has. All else is for people, and for objects from before, which keep
//! the name they have.
//!
//! | file | what |
//! |---|---|
//! | `choose.rs` | which object a name means |
//! | `filter.rs`, `lexer.rs` | names in the text of a search |
//! | `like.rs` | patterns of names |
//! | `write.rs` | the backend's names, written into a request |
//! | `show.rs` | the people's names, written into an answer |

mod choose;
mod filter;
mod lexer;
mod like;
mod show;
mod write;

use std::borrow::Cow;
use std::sync::Arc;

pub use choose::{Choice, Home, Sought, chosen, lookups};
pub use filter::NameTest;
pub use write::{put_sought, write_names};

use super::{Field, Form, Pointer, Source, Template};
use crate::domain::{Project, Tenant};

/// The names of a type, of which each project has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// What the names of a project begin with.
    pub prefix: Template,
    /// Whether the name of an object is its id.
    pub are_ids: bool,
}

/// What is said of the names of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TypeNames {
    /// Nothing.
    #[default]
    Unsaid,
    /// All projects share them, on purpose.
    Shared,
    /// Each project has its own.
    Apart(Arc<Namespace>),
}

/// What all names of a project begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Namespace {
    /// That of a project; `None` for a template that needs more than that.
    #[must_use]
    pub fn of(&self, tenant: &Tenant, project: &Project) -> Option<Prefix> {
        let prefix = self.prefix.render(&|field| match field {
            Field::TenantSlug => Some(Cow::Borrowed(tenant.slug.as_str())),
            Field::ProjectSlug => Some(Cow::Borrowed(project.slug.as_str())),
            Field::ProjectId => Some(project.id.to_string().into()),
            _ => None,
        });
        prefix.filter(|prefix| !prefix.is_empty()).map(Prefix)
    }
}

impl Prefix {
    /// The backend's name of what people call `name`. One that begins so already is the
    /// backend's: it was shown to somebody whole.
    #[must_use]
    pub fn put(&self, name: &str) -> String {
        if name.len() > self.0.len() && name.starts_with(&self.0) {
            return name.to_owned();
        }
        format!("{}{name}", self.0)
    }

    /// What people call what the backend calls `name`; always something from which
    /// [`Self::put`] makes that again, unless the name is one from before.
    #[must_use]
    pub fn strip<'n>(&self, name: &'n str) -> &'n str {
        match name.strip_prefix(&self.0) {
            Some(rest) if !rest.is_empty() && self.put(rest) == name => rest,
            _ => name,
        }
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where names stand in the requests and answers of a route.
#[derive(Clone, Debug, Default)]
pub struct NamePlaces {
    /// The types whose names are apart, of those that the route reads or lists here.
    pub namespaces: Vec<(Arc<str>, Arc<Namespace>)>,
    /// Names that are given to something.
    pub made: Vec<NamePlace>,
    /// The name by which something is looked for.
    pub sought: Option<NamePlace>,
    /// Texts that say which names are searched for.
    pub filters: Vec<NamePlace>,
    /// Names in the answer.
    pub told: Vec<ToldName>,
}

/// A name in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePlace {
    /// Of what.
    pub kind: Arc<str>,
    /// Where.
    pub at: Source,
}

/// A name in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldName {
    /// Of what.
    pub kind: Arc<str>,
    /// Where.
    pub at: Pointer,
    /// What the text there looks like if it is more than a name.
    pub forms: Vec<Form>,
}

impl NamePlaces {
    /// Whether the route has nothing to do with such names.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Whether the answer is written anew.
    #[must_use]
    pub const fn change_answers(&self) -> bool {
        !self.told.is_empty() || self.sought.is_some()
    }

    /// That of a type.
    #[must_use]
    pub fn namespace(&self, kind: &str) -> Option<&Namespace> {
        let mut all = self.namespaces.iter();
        let found = all.find(|(of, _)| **of == *kind);
        found.map(|(_, namespace)| &**namespace)
    }

    /// That of a type whose names are ids.
    fn of_ids(&self, kind: &str) -> Option<&Namespace> {
        self.namespace(kind).filter(|namespace| namespace.are_ids)
    }

    /// The prefix of a type's names in a project.
    fn prefix(&self, kind: &str, home: &Home) -> Option<Prefix> {
        self.namespace(kind)?.of(&home.tenant, &home.project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_off_is_put_on_again() {
        let prefix = Prefix("acme.churn.".to_owned());
        for (name, shown) in [
            ("acme.churn.foo", "foo"),
            ("acme.churn.acme.churn", "acme.churn"),
            ("acme.churn.a.b", "a.b"),
        ] {
            assert_eq!(prefix.strip(name), shown);
            assert_eq!(prefix.put(shown), name);
            assert_eq!(prefix.put(name), name);
        }
        for name in [
            "foo",
            "acme.churn",
            "acme.churn.",
            "ACME.churn.foo",
            "acme.churn.acme.churn.foo",
        ] {
            assert_eq!(prefix.strip(name), name);
        }
        assert_eq!(prefix.put("acme.churn."), "acme.churn.acme.churn.");
    }
}
