//! Exactly one of `permission`, `authenticated`, `public` and `deny`.

use super::diagnostic::did_you_mean;
use super::node::Node;
use super::reader::{Fields, Reader};
use crate::domain::{Catalogue, Permission};
use crate::policy::Requirement;

const KEYS: [&str; 4] = ["permission", "authenticated", "public", "deny"];
const ALL: &str = "`permission: resource:action`, `authenticated: true`, \
                   `public: \"<reason>\"`, `deny: \"<reason>\"`";

pub(super) fn read(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    catalogue: &Catalogue,
) -> Option<Requirement> {
    let given: Vec<&str> = KEYS
        .into_iter()
        .filter(|key| fields.get(key).is_some())
        .collect();
    match given[..] {
        [] => {
            let problem = format!("a route needs exactly one of {ALL}; it has none");
            reader.report(fields.place, problem);
            None
        }
        [key] => one(reader, key, fields.get(key)?, catalogue),
        [first, second, ..] => {
            let problem =
                format!("`{second}` besides `{first}`; a route needs exactly one of {ALL}");
            reader.report(fields.key_place(second), problem);
            None
        }
    }
}

fn one(reader: Reader<'_>, key: &str, node: &Node, catalogue: &Catalogue) -> Option<Requirement> {
    match key {
        "permission" => permission(reader, node, catalogue),
        "authenticated" => {
            let wanted = reader.boolean(node)?;
            if !wanted {
                let problem = "`authenticated: false` means nothing; for a route open to all \
                               write `public: \"<reason>\"`";
                reader.report(node.place, problem);
            }
            wanted.then_some(Requirement::Authenticated)
        }
        "public" => reason(reader, node, "public").map(|reason| Requirement::Public {
            reason: reason.into(),
        }),
        _ => reason(reader, node, "deny").map(|reason| Requirement::Deny {
            reason: reason.into(),
        }),
    }
}

fn permission(reader: Reader<'_>, node: &Node, catalogue: &Catalogue) -> Option<Requirement> {
    reader.parsed(node, "a permission", |text| {
        let name: Permission = text.parse().map_err(|e| format!("{e}"))?;
        let Some(index) = catalogue.index(&name) else {
            let help = did_you_mean(text, catalogue.iter().map(Permission::as_str));
            let help = if help.is_empty() {
                "; add it under `permissions:`".to_owned()
            } else {
                help
            };
            return Err(format!("unknown permission `{name}`{help}"));
        };
        Ok(Requirement::Permission { name, index })
    })
}

fn reason<'n>(reader: Reader<'_>, node: &'n Node, key: &str) -> Option<&'n str> {
    let reason = node.text().map(str::trim).filter(|text| !text.is_empty());
    if reason.is_none() {
        reader.report(
            node.place,
            format!("`{key}` needs a reason in words, as in `{key}: \"liveness probe\"`"),
        );
    }
    reason
}
