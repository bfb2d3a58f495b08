//! The catalogue and the roles that are compiled in.

use super::catalogue;
use super::diagnostic::Diagnostic;
use super::files::Reads;
use super::load::{checked, tree};
use super::node::Node;
use super::reader::Reader;
use crate::domain::{BuiltInRole, Catalogue, Permission};

const ROLES: &str = include_str!("../../config/roles.yaml");

/// The catalogue and the roles that come with the gateway.
#[derive(Debug)]
pub struct BuiltIn {
    /// Every permission that exists.
    pub catalogue: Catalogue,
    /// The roles.
    pub roles: Vec<BuiltInRole>,
}

impl BuiltIn {
    /// What is compiled in, with the permissions that a configuration adds.
    ///
    /// # Errors
    ///
    /// Never with the file that is compiled in, which a test loads.
    pub fn with(additions: Vec<Permission>) -> Result<Self, Vec<Diagnostic>> {
        checked("preset:roles", ROLES, &Reads::default(), |reader, node| {
            of(reader, &node, additions)
        })
    }
}

/// What is compiled in, for a configuration that is being read.
pub(super) fn read(reader: Reader<'_>, additions: Vec<Permission>) -> Option<BuiltIn> {
    let file = "preset:roles".into();
    let reader = Reader {
        file: &file,
        ..reader
    };
    of(reader, &tree(reader, ROLES)?, additions)
}

fn of(reader: Reader<'_>, node: &Node, additions: Vec<Permission>) -> Option<BuiltIn> {
    let fields = reader.fields(node, &["permissions", "roles"])?;
    let own = catalogue::permissions(reader, &fields);
    let catalogue = Catalogue::new(own.into_iter().chain(additions));
    let roles = catalogue::roles(reader, &fields, &catalogue);
    Some(BuiltIn { catalogue, roles })
}
