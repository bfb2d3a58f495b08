//! Permissions, the catalogue of all that exist, and sets of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// `resource:action`, each `^[a-z][a-z0-9_]*$`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(Arc<str>);

/// The text is no `resource:action`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a permission: write `resource:action` in lower case")]
pub struct MalformedPermission(pub String);

impl Permission {
    /// The whole, `resource:action`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is about.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.0.split_once(':').map_or("", |(resource, _)| resource)
    }

    /// What may be done.
    #[must_use]
    pub fn action(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, action)| action)
    }
}

impl FromStr for Permission {
    type Err = MalformedPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((resource, action)) if is_word(resource) && is_word(action) => {
                Ok(Self(text.into()))
            }
            _ => Err(MalformedPermission(text.to_owned())),
        }
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Permission {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The number of a permission: what a decision compares.
///
/// It is the same in every [`Catalogue`] of this process, and no other permission ever
/// gets it. So around a reload a route of the new catalogue can be held against a set of
/// the old one: at worst the set lacks what is new, it never holds something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PermissionIndex(usize);

impl PermissionIndex {
    fn of(permission: &Permission) -> Self {
        static NUMBERS: Mutex<BTreeMap<Permission, usize>> = Mutex::new(BTreeMap::new());
        let mut numbers = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
        let next = numbers.len();
        Self(*numbers.entry(permission.clone()).or_insert(next))
    }
}

/// Every permission that exists. What is not in it cannot be required or granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    by_name: BTreeMap<Permission, PermissionIndex>,
}

impl Catalogue {
    /// The catalogue of these permissions.
    pub fn new(permissions: impl IntoIterator<Item = Permission>) -> Self {
        let numbered = permissions.into_iter().map(|permission| {
            let index = PermissionIndex::of(&permission);
            (permission, index)
        });
        Self {
            by_name: numbered.collect(),
        }
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let both = self.by_name.iter().chain(&other.by_name);
        Self {
            by_name: both.map(|(name, index)| (name.clone(), *index)).collect(),
        }
    }

    /// The index of a permission, if it exists.
    #[must_use]
    pub fn index(&self, permission: &Permission) -> Option<PermissionIndex> {
        self.by_name.get(permission).copied()
    }

    /// All permissions, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Permission> {
        self.by_name.keys()
    }

    /// The set that patterns (`models:read`, `models:*`, `*:read`, `*:*`) stand for.
    /// Patterns that match nothing are returned, for the caller to report.
    pub fn expand<'p>(
        &self,
        patterns: impl IntoIterator<Item = &'p str>,
    ) -> (PermissionSet, Vec<&'p str>) {
        let mut set = PermissionSet::default();
        let unknown = patterns
            .into_iter()
            .filter(|pattern| !self.add_matching(pattern, &mut set))
            .collect();
        (set, unknown)
    }

    fn add_matching(&self, pattern: &str, set: &mut PermissionSet) -> bool {
        let (resource, action) = pattern.split_once(':').unwrap_or((pattern, ""));
        let fits = |want: &str, have: &str| want == "*" || want == have;
        let mut any = false;
        for (permission, index) in &self.by_name {
            if fits(resource, permission.resource()) && fits(action, permission.action()) {
                set.insert(*index);
                any = true;
            }
        }
        any
    }
}

/// A set of permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(Vec<u64>);

impl PermissionSet {
    /// Adds one.
    pub fn insert(&mut self, PermissionIndex(at): PermissionIndex) {
        if self.0.len() <= at / 64 {
            self.0.resize(at / 64 + 1, 0);
        }
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// Adds all of another set.
    pub fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Whether it holds the permission.
    #[must_use]
    pub fn contains(&self, PermissionIndex(at): PermissionIndex) -> bool {
        self.0
            .get(at / 64)
            .is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// Whether it holds all that `other` holds.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        other.0.iter().enumerate().all(|(at, word)| {
            let own = self.0.get(at).copied().unwrap_or_default();
            word & !own == 0
        })
    }

    /// Takes away what `other` holds.
    pub fn remove(&mut self, other: &Self) {
        for (own, word) in self.0.iter_mut().zip(&other.0) {
            *own &= !word;
        }
    }

    /// Keeps what `other` holds too.
    pub fn retain(&mut self, other: &Self) {
        for (at, own) in self.0.iter_mut().enumerate() {
            *own &= other.0.get(at).copied().unwrap_or_default();
        }
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        Catalogue::new(
            ["models:read", "models:delete", "runs:read"].map(|text| text.parse().unwrap()),
        )
    }

    #[test]
    fn patterns_expand_to_what_exists() {
        let catalogue = catalogue();
        let (set, unknown) = catalogue.expand(["*:read", "models:write"]);
        let held: Vec<_> = catalogue
            .iter()
            .filter(|p| set.contains(catalogue.index(p).unwrap()))
            .map(Permission::as_str)
            .collect();
        assert_eq!(held, ["models:read", "runs:read"]);
        assert_eq!(unknown, ["models:write"]);
    }

    #[test]
    fn a_set_of_one_catalogue_answers_for_another() {
        let old = catalogue();
        let (held, _) = old.expand(["models:*"]);
        let more = ["aardvarks:read", "models:read", "zebras:read"];
        let new = Catalogue::new(more.map(|text| text.parse().unwrap()));
        let holds = |name: &str| held.contains(new.index(&name.parse().unwrap()).unwrap());
        assert_eq!(more.map(holds), [false, true, false]);
        assert_eq!(old.union(&new).iter().count(), 5);
    }

    #[test]
    fn an_empty_set_holds_nothing() {
        let catalogue = catalogue();
        let set = PermissionSet::default();
        assert!(
            catalogue
                .iter()
                .all(|p| !set.contains(catalogue.index(p).unwrap()))
        );
    }

    #[test]
    fn malformed_permissions_are_refused() {
        for bad in [
            "",
            "models",
            "models:",
            ":read",
            "Models:read",
            "a:b:c",
            "a:*",
        ] {
            assert!(bad.parse::<Permission>().is_err(), "{bad}");
        }
    }
}
