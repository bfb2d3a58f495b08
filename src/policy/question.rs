//! What a decision rests on.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::{Authentication, CanonicalRequest, Keys, Lookup, Params, PathRef, RoleTable};
use crate::domain::{Owner, Whose};

/// All that a decision rests on.
#[derive(Debug)]
pub struct Question<'a> {
    /// The request.
    pub request: &'a CanonicalRequest,
    /// Its path, as it was looked up.
    pub path: PathRef<'a, &'a str>,
    /// Its header fields, for routes that take an id from one.
    pub headers: &'a HeaderMap,
    /// The route that the request meets.
    pub lookup: Lookup<'a>,
    /// Who sent it.
    pub authentication: &'a Authentication,
    /// Who may do what.
    pub table: &'a RoleTable,
    /// From where and when.
    pub circumstances: Circumstances,
    /// The objects that the request names, and whose they are; `None` until that was asked.
    /// Without it no request passes on a route that names any.
    pub objects: Option<NamedObjects<'a>>,
}

/// From where and when a request came.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Address of the client, if it has one.
    pub ip: Option<IpAddr>,
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// `http` or `https`, as the client sees it.
    pub scheme: &'static str,
}

/// An object that a request names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Its type.
    pub kind: Arc<str>,
    /// The backend's id of it.
    pub id: Box<str>,
    /// Whether the gateway checks whose it is; `false` where the backend does that itself.
    pub enforced: bool,
    /// Whether it may be one that the backend does not have yet: then it is nobody else's.
    pub may_be_absent: bool,
}

/// The objects that a request names, each with its owner.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedObjects<'a> {
    /// The one that the request is about comes first, if there is one.
    pub named: &'a [Named],
    /// In the same order. What is not enforced needs none.
    pub owners: &'a [Whose],
    /// Labels of the object that the request is to make, as far as it tells them itself;
    /// `None` if its route has none, or takes one from the answer.
    pub made: Option<&'a BTreeMap<String, String>>,
    /// Values that its route takes from the request for conditions, beside those of the path.
    pub params: &'a [(Arc<str>, String)],
}

impl<'a> NamedObjects<'a> {
    /// What is checked, each with its owner. An owner that is missing in the list is as
    /// one that is not known.
    pub(super) fn enforced(self) -> impl Iterator<Item = (&'a Named, Option<&'a Owner>)> {
        let owners = self.owners.iter().chain(std::iter::repeat(&Whose::Nobodys));
        let enforced = self.named.iter().zip(owners);
        enforced
            .filter(|(named, whose)| {
                named.enforced && !(named.may_be_absent && **whose == Whose::Absent)
            })
            .map(|(named, whose)| (named, whose.owner()))
    }
}

impl Question<'_> {
    /// The values in the path, if a route was found.
    pub(super) const fn params(&self) -> Option<Params<'_>> {
        match &self.lookup {
            Lookup::Found { params, .. } => Some(*params),
            _ => None,
        }
    }

    /// When two names of its query or its body are one.
    pub(super) fn keys(&self) -> Keys {
        match &self.lookup {
            Lookup::Found { route, .. } => route.objects.keys,
            _ => Keys::default(),
        }
    }
}
