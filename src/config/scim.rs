//! `sign_in.scim:`.

use std::collections::BTreeSet;

use super::node::Node;
use super::providers::{GroupRole, Provider, grants};
use super::reader::Reader;
use crate::domain::Slug;

const KEYS: [&str; 3] = ["tenant", "default_role", "group_role_mapping"];

/// A tenant whose directory says who its people are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Which tenant.
    pub tenant: Slug,
    /// What everybody in it is given, and what each of their groups.
    pub grants: Vec<GroupRole>,
    /// The tenant's own sign-in providers, by name.
    pub providers: Vec<String>,
}

pub(super) fn read(reader: Reader<'_>, node: &Node, providers: &[Provider]) -> Vec<Directory> {
    let mut tenants = BTreeSet::new();
    let mut all = Vec::new();
    for node in reader.list(node) {
        let Some(fields) = reader.fields(node, &KEYS) else {
            continue;
        };
        let grants = grants(reader, &fields);
        let tenant = fields.required("tenant");
        let tenant = tenant.and_then(|node| reader.of_type::<Slug>(node, "a short name"));
        let Some(tenant) = tenant else { continue };
        if tenants.insert(tenant.clone()) {
            let own = providers.iter().filter(|each| each.tenant == tenant);
            let providers = own.map(|each| each.name.to_string()).collect();
            all.push(Directory {
                tenant,
                grants,
                providers,
            });
        } else {
            let problem = format!("there is another directory of `{tenant}`");
            reader.report(node.place, problem);
        }
    }
    all
}
