//! Names as people write them: `acme/fraud`, `platform`, `ann@example.com`, `acme/robot`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{PrincipalId, RoleScope, Slug};

/// `TENANT/PROJECT`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectPath {
    /// The tenant.
    pub tenant: Slug,
    /// The project in it.
    pub project: Slug,
}

/// A scope by name: `platform`, `TENANT` or `TENANT/PROJECT`.
///
/// No tenant can be meant by `platform`: the word always is the platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopePath {
    /// Everything.
    Platform,
    /// A tenant.
    Tenant(Slug),
    /// A project.
    Project(ProjectPath),
}

/// A principal by name: an e-mail address, an id, or `TENANT/NAME` of a service account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalName {
    /// A user, in lower case.
    Email(Email),
    /// A service account of a tenant.
    ServiceAccount {
        /// Its home.
        tenant: Slug,
        /// Its name there.
        name: Slug,
    },
    /// Anyone, by id.
    Id(PrincipalId),
}

/// An e-mail address as far as we look at it: two parts, no blanks, folded to lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

/// The text is none of the names that were expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not {expected}")]
pub struct MalformedName {
    text: String,
    expected: &'static str,
}

impl MalformedName {
    fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            expected,
        }
    }
}

impl ScopePath {
    /// The kind of role that can be bound here.
    #[must_use]
    pub const fn kind(&self) -> RoleScope {
        match self {
            Self::Platform => RoleScope::Platform,
            Self::Tenant(_) => RoleScope::Tenant,
            Self::Project(_) => RoleScope::Project,
        }
    }
}

impl Email {
    /// The longest that mail knows.
    const MAX: usize = 254;

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectPath {
    type Err = MalformedName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        slug_pair(text)
            .map(|(tenant, project)| Self { tenant, project })
            .ok_or_else(|| MalformedName::new(text, "a project: write TENANT/PROJECT"))
    }
}

impl FromStr for ScopePath {
    type Err = MalformedName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "platform" {
            return Ok(Self::Platform);
        }
        if let Ok(tenant) = text.parse() {
            return Ok(Self::Tenant(tenant));
        }
        text.parse().map(Self::Project).map_err(|_| {
            MalformedName::new(
                text,
                "a scope: write `platform`, TENANT or TENANT/PROJECT",
            )
        })
    }
}

impl FromStr for PrincipalName {
    type Err = MalformedName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        if let Some((tenant, name)) = slug_pair(text) {
            return Ok(Self::ServiceAccount { tenant, name });
        }
        text.parse().map(Self::Email).map_err(|_| {
            MalformedName::new(
                text,
                "a principal: write an e-mail address, TENANT/NAME of a service account, or an id",
            )
        })
    }
}

impl FromStr for Email {
    type Err = MalformedName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let clean = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
        let part = |part: &str| !part.is_empty() && part.chars().all(clean);
        match text.split_once('@') {
            Some((local, domain)) if part(local) && part(domain) && text.len() <= Self::MAX => {
                Ok(Self(text.to_lowercase()))
            }
            _ => Err(MalformedName::new(text, "an e-mail address")),
        }
    }
}

fn slug_pair(text: &str) -> Option<(Slug, Slug)> {
    let (first, second) = text.split_once('/')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.project)
    }
}

impl fmt::Display for ScopePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Tenant(tenant) => tenant.fmt(f),
            Self::Project(project) => project.fmt(f),
        }
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(email) => email.fmt(f),
            Self::ServiceAccount { tenant, name } => write!(f, "{tenant}/{name}"),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ProjectPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for ScopePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for scope in ["platform", "acme", "acme/fraud"] {
            assert_eq!(scope.parse::<ScopePath>().unwrap().to_string(), scope);
        }
        let id = "0190f3c6-0000-7000-8000-000000000001";
        for principal in ["ann@example.com", "acme/robot", id] {
            let name: PrincipalName = principal.parse().unwrap();
            assert_eq!(name.to_string(), principal);
        }
    }

    #[test]
    fn addresses_that_differ_in_case_are_one() {
        assert_eq!(
            "Ann@Example.COM".parse::<Email>(),
            "ann@example.com".parse()
        );
    }

    #[test]
    fn what_is_neither_name_is_refused() {
        for bad in ["", "ann", "a/b/c", "Acme/fraud", "@x", "a@", "a@b@c", "a b@c"] {
            assert!(bad.parse::<PrincipalName>().is_err(), "{bad}");
        }
        for bad in ["", "acme/", "/fraud", "acme/fraud/x", "Acme"] {
            assert!(bad.parse::<ScopePath>().is_err(), "{bad}");
        }
    }
}
