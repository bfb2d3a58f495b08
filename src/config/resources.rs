//! `resources:`: types of objects, and how the owner of one is found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::Place;
use super::node::{Node, Value};
use super::own_request::{self, Placeholder};
use super::reader::{Fields, Reader};
use super::{names, route, source};
use crate::policy::namespace::TypeNames;
use crate::policy::{
    Asking, BulkLookup, ListRequest, Origin, Ownership, ResourceType, SingleLookup, Source, Via,
    ViaBy,
};

/// How many objects are asked for at once if nothing is said.
const BULK: usize = 100;

/// Longest way from a child to the object that is owned.
const MAX_STEPS: usize = 4;

/// Upstream and type.
type Key = (Arc<str>, Arc<str>);

/// The types that are declared, each with its place.
#[derive(Debug, Default)]
pub(super) struct Types(BTreeMap<Key, (ResourceType, Origin)>);

impl Types {
    /// What a type is declared as; nothing for one that is not.
    pub fn ownership(&self, upstream: &str, kind: &str) -> Option<&Ownership> {
        let (declared, _) = self.0.get(&(upstream.into(), kind.into()))?;
        Some(&declared.ownership)
    }

    /// Whose the names of a type are.
    pub fn names(&self, upstream: &str, kind: &str) -> TypeNames {
        let declared = self.0.get(&(upstream.into(), kind.into()));
        declared.map_or(TypeNames::Unsaid, |(declared, _)| declared.names.clone())
    }

    /// Whether the backend keeps the owners of a type.
    pub fn is_backends(&self, upstream: &str, kind: &str) -> bool {
        self.ownership(upstream, kind) == Some(&Ownership::Backend)
    }

    pub fn into_vec(self) -> Vec<ResourceType> {
        self.0.into_values().map(|(declared, _)| declared).collect()
    }

    /// The types of one file; those of `upstream`, in a preset.
    pub fn read(
        &mut self,
        reader: Reader<'_>,
        parent: &Fields<'_>,
        upstreams: &BTreeSet<Arc<str>>,
        upstream: Option<&Arc<str>>,
    ) {
        let Some(node) = parent.get("resources") else {
            return;
        };
        let mut own = BTreeSet::new();
        let items = reader.list(node).iter();
        for (declared, place) in items.flat_map(|it| declared(reader, it, upstreams, upstream)) {
            let key = (Arc::clone(&declared.upstream), Arc::clone(&declared.kind));
            if own.insert(key.clone()) {
                // What the operator says takes the place of what a preset says.
                self.0.insert(key, (declared, reader.origin(place)));
            } else {
                reader.report(place, format!("type `{}` is declared twice", declared.kind));
            }
        }
    }

    /// Whether each child leads to an owner.
    pub fn check(&self, reader: Reader<'_>) {
        for (declared, origin) in self.0.values() {
            let Ownership::Via(via) = &declared.ownership else {
                continue;
            };
            let problem = if self.is_backends(&declared.upstream, &via.parent) {
                let parent = &via.parent;
                format!("`{parent}` is `owner: backend`; declare what belongs to it so too")
            } else if let Some(problem) = self.way(declared) {
                problem
            } else {
                continue;
            };
            let reader = Reader {
                file: &origin.file,
                ..reader
            };
            let place = Place {
                line: origin.line,
                column: origin.column,
            };
            reader.report(place, problem);
        }
    }

    /// What is wrong with the way from a child to the object that is owned.
    fn way(&self, start: &ResourceType) -> Option<String> {
        let mut kind = &start.kind;
        for _ in 0..=MAX_STEPS {
            match self.ownership(&start.upstream, kind)? {
                Ownership::Via(via) if via.parent == start.kind => {
                    return Some(format!("`via` leads from `{}` back to itself", start.kind));
                }
                Ownership::Via(via) => kind = &via.parent,
                _ => return None,
            }
        }
        Some(format!(
            "`via` leads on through more than {MAX_STEPS} types"
        ))
    }
}

/// One entry; several types if it lists them.
fn declared(
    reader: Reader<'_>,
    node: &Node,
    upstreams: &BTreeSet<Arc<str>>,
    preset: Option<&Arc<str>>,
) -> Vec<(ResourceType, Place)> {
    const KEYS: [&str; 7] = ["type", "upstream", "owner", "via", "list", "names", "id"];
    let Some(fields) = reader.fields(node, &KEYS) else {
        return Vec::new();
    };
    let kinds = kinds(reader, &fields);
    let upstream = upstream(reader, &fields, upstreams, preset);
    let ownership = ownership(reader, &fields);
    let list = fields.get("list").and_then(|node| list(reader, node));
    let several = fields
        .get("type")
        .is_some_and(|node| matches!(node.value, Value::List(_)));
    if several && ownership != Some(Ownership::Backend) {
        let place = fields.key_place("type");
        reader.report(place, "several types at once: only with `owner: backend`");
    }
    if list.is_some() && ownership != Some(Ownership::Recorded) {
        let place = fields.key_place("list");
        reader.report(
            place,
            "`list` is for types whose owners the gateway records",
        );
    }
    let names = names::of_type(reader, &fields, ownership.as_ref());
    let (Some(upstream), Some(ownership)) = (upstream, ownership) else {
        return Vec::new();
    };
    let declared = |(kind, place)| {
        let declared = ResourceType {
            upstream: Arc::clone(&upstream),
            kind,
            ownership: ownership.clone(),
            list: list.clone(),
            names: names.clone(),
        };
        (declared, place)
    };
    kinds.into_iter().map(declared).collect()
}

fn kinds(reader: Reader<'_>, fields: &Fields<'_>) -> Vec<(Arc<str>, Place)> {
    let kind = |node: &Node| Some((kind(reader, node)?, node.place));
    match fields.required("type") {
        Some(node) if matches!(node.value, Value::List(_)) => {
            reader.list(node).iter().filter_map(kind).collect()
        }
        Some(node) => kind(node).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The name of a type.
pub(super) fn kind(reader: Reader<'_>, node: &Node) -> Option<Arc<str>> {
    source::word(reader, node, "a resource type")
}

fn upstream(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    upstreams: &BTreeSet<Arc<str>>,
    preset: Option<&Arc<str>>,
) -> Option<Arc<str>> {
    match (preset, fields.get("upstream")) {
        (Some(upstream), None) => Some(Arc::clone(upstream)),
        (Some(_), Some(_)) => {
            let place = fields.key_place("upstream");
            reader.report(place, "a preset's types name no upstream");
            None
        }
        (None, _) => {
            let node = fields.required("upstream")?;
            route::known_upstream(reader, node, upstreams)
        }
    }
}

fn ownership(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Ownership> {
    match (fields.get("owner"), fields.get("via")) {
        (Some(_), Some(_)) => {
            let place = fields.key_place("via");
            reader.report(place, "`via` besides `owner`: one of both");
            None
        }
        (Some(node), None) => {
            let owners = [("backend", true), ("gateway", false)];
            let backend = reader.choice(node, &owners)?;
            Some(if backend {
                Ownership::Backend
            } else {
                Ownership::Recorded
            })
        }
        (None, Some(node)) => via(reader, node).map(Ownership::Via),
        (None, None) => Some(Ownership::Recorded),
    }
}

fn via(reader: Reader<'_>, node: &Node) -> Option<Via> {
    let keys = [
        "type",
        "prefix",
        "request",
        "body",
        "id",
        "immutable",
        "bulk",
    ];
    let fields = reader.fields(node, &keys)?;
    let parent = fields.required("type");
    let parent = parent.and_then(|node| kind(reader, node));
    let by = match (fields.get("prefix"), fields.get("request")) {
        (Some(node), None) => {
            for key in ["body", "id", "immutable", "bulk"] {
                if fields.get(key).is_some() {
                    let problem = format!("`{key}` besides `prefix`: nobody is asked");
                    reader.report(fields.key_place(key), problem);
                }
            }
            reader.text(node).map(|text| ViaBy::Prefix(text.into()))
        }
        (None, Some(_)) => asking(reader, &fields).map(|asking| ViaBy::Asking(Box::new(asking))),
        _ => {
            let problem = "`via` needs `prefix` or `request`: one of both";
            reader.report(fields.place, problem);
            None
        }
    };
    Some(Via {
        parent: parent?,
        by: by?,
    })
}

fn asking(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Asking> {
    let request = own_request::read(reader, fields, Placeholder::One);
    let parent_id = fields.required("id");
    let parent_id = parent_id.and_then(|node| source::pointer(reader, node));
    let immutable = fields.get("immutable");
    let immutable = immutable.is_some_and(|node| reader.boolean(node).unwrap_or_default());
    let bulk = fields.get("bulk").and_then(|node| bulk(reader, node));
    Some(Asking {
        one: SingleLookup {
            request: request?,
            parent_id: parent_id?,
        },
        bulk,
        immutable,
    })
}

fn bulk(reader: Reader<'_>, node: &Node) -> Option<BulkLookup> {
    let keys = ["request", "body", "items", "key", "id", "max"];
    let fields = reader.fields(node, &keys)?;
    let request = own_request::read(reader, &fields, Placeholder::Several);
    let place = |key| {
        let node = fields.required(key);
        node.and_then(|node| source::pointer(reader, node))
    };
    let (items, id, parent_id) = (place("items"), place("key"), place("id"));
    let max = match fields.get("max") {
        Some(node) => reader.integer(node, &(2..=1000)),
        None => Some(BULK),
    };
    Some(BulkLookup {
        request: request?,
        items: items?,
        id: id?,
        parent_id: parent_id?,
        max: max?,
    })
}

fn list(reader: Reader<'_>, node: &Node) -> Option<ListRequest> {
    let keys = ["request", "body", "items", "id", "next", "token"];
    let fields = reader.fields(node, &keys)?;
    let request = own_request::read(reader, &fields, Placeholder::None);
    let place = |key| {
        let node = fields.required(key);
        node.and_then(|node| source::pointer(reader, node))
    };
    let (items, id) = (place("items"), place("id"));
    let pages = match (fields.get("next"), fields.get("token")) {
        (None, None) => Some(None),
        (Some(next), Some(token)) => {
            let next = source::pointer(reader, next);
            let token = self::token(reader, token);
            next.zip(token).map(Some)
        }
        _ => {
            let problem = "`next` and `token` go together: both or none";
            reader.report(fields.place, problem);
            None
        }
    };
    Some(ListRequest {
        request: request?,
        items: items?,
        id: id?,
        pages: pages?,
    })
}

fn token(reader: Reader<'_>, node: &Node) -> Option<Source> {
    let source = source::source(reader, node, None)?;
    if let Source::Query(_) | Source::Body(_) = source {
        return Some(source);
    }
    reader.report(node.place, "write `query.NAME` or `body./pointer`");
    None
}
